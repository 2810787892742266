import { connect, createServer } from 'node:net';

const HOST = '127.0.0.1';

/**
 * The first of the preferred ports that is free on 127.0.0.1, or any free one. A port can be taken by
 * somebody else before the caller binds it: the caller retries.
 */
export async function freePort(options: { readonly preferred: readonly number[] }): Promise<number> {
  for (const port of options.preferred) {
    // Both looks are needed: macOS lets one bind 127.0.0.1 beside a listener on all addresses.
    if (!(await canConnect({ port, timeoutMs: 500 })) && (await canBind(port)) !== undefined) return port;
  }
  const port = await canBind(0);
  if (port === undefined)
    throw new Error(`No free TCP port on ${HOST}. Expected at least one; end some programs.`);
  return port;
}

/** Whether something listens on this port of 127.0.0.1. */
export async function canConnect(options: {
  readonly port: number;
  readonly timeoutMs: number;
}): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port: options.port });
    const finish = (connected: boolean): void => {
      socket.destroy();
      resolve(connected);
    };
    socket.setTimeout(options.timeoutMs, () => finish(false));
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}

async function canBind(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: HOST, port, exclusive: true }, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' ? bound?.port : undefined));
    });
  });
}
