import { InvalidInputError } from '../client/invalid-input-error.ts';
import { externalConnection } from '../stack/connection.ts';
import { stackHome } from '../stack/home.ts';
import { formatElapsed } from '../stack/progress.ts';
import type { OnProgress } from '../stack/progress.ts';
import { stackStatus, stopStack } from '../stack/stack.ts';
import { defaultProviderName, providersOf } from '../worker/providers.ts';
import { readDashboardToken } from './dashboard-token.ts';
import { EXIT } from './exit-codes.ts';
import { note, print } from './output.ts';
import { ensureDashboard, ensureRunning } from './running-stack.ts';

/** The options of the stack's commands. */
export interface StackFlags {
  readonly json?: true;
}

/** The options of `up`. */
export interface UpFlags extends StackFlags {
  readonly metrics?: string;
}

/** `up`: starts what is not running, and says where it is. */
export async function upCommand({ json, metrics }: UpFlags, onProgress: OnProgress): Promise<number> {
  const place = { home: home(), env: process.env, onProgress };
  // What the dashboard would be refused for is said before anything is started.
  readDashboardToken(process.env, '127.0.0.1');
  const stack = await ensureRunning(metrics === undefined ? place : { ...place, metrics });
  const metricsUrl = stack.external ? null : await metricsOf(stack.home);
  const { address, namespace, external } = stack;
  if (stack.external) {
    note(
      'TEMPORAL_* names a server: nothing is started here. Run durable-extract worker and durable-extract dashboard yourself',
    );
  }
  const uiUrl = stack.external ? null : stack.uiUrl;
  const dashboardUrl = stack.external ? null : await ensureDashboard(place);
  // Whose worker it is that polls somebody else's server, this command cannot know.
  const provider = stack.external ? null : defaultProviderName(process.env);
  if (json) {
    print({
      address,
      namespace,
      uiUrl,
      dashboardUrl,
      metricsUrl,
      external,
      provider,
      simulated: provider === 'simulated',
    });
    return EXIT.done;
  }
  const simulated = 'SIMULATED: no model is asked; set OPENAI_API_KEY to ask one';
  const lines = [
    `Temporal server  ${address}`,
    ...(uiUrl === null ? [] : [`Temporal Web UI  ${uiUrl}`]),
    ...(dashboardUrl === null ? [] : [`Dashboard        ${dashboardUrl}`]),
    ...(metricsUrl === null ? [] : [`Metrics          ${metricsUrl}`]),
    ...(provider === null ? [] : [`Provider         ${provider === 'simulated' ? simulated : provider}`]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return EXIT.done;
}

async function metricsOf(place: string): Promise<string | null> {
  const { processes } = await stackStatus(place);
  const url = processes.find(({ name }) => name === 'worker')?.details['metrics'];
  return typeof url === 'string' ? url : null;
}

/** `down`: ends all of it; histories stay. */
export async function downCommand({ json }: StackFlags, onProgress: OnProgress): Promise<number> {
  const stopped = await stopStack({ home: home(), onProgress });
  if (json) print(stopped);
  else if (stopped.length === 0) process.stdout.write('nothing was running\n');
  else for (const { name, pid, how } of stopped) process.stdout.write(`${name} (process ${pid}): ${how}\n`);
  return EXIT.done;
}

/** `status`: what runs in this home. */
export async function statusCommand({ json }: StackFlags): Promise<number> {
  const external = externalConnection(process.env);
  const status = await stackStatus(home());
  if (external === undefined) noteBadProviders();
  if (json) {
    print({ external: external ?? null, ...status });
    return EXIT.done;
  }
  if (external !== undefined) process.stdout.write(`external Temporal server ${external.address}\n`);
  if (status.processes.length === 0)
    process.stdout.write('nothing is running; start with: durable-extract up\n');
  for (const { name, pid, state, uptimeMs, details } of status.processes) {
    const where = [details['address'], details['uiUrl'], details['url'], details['metrics']].filter(
      (place) => typeof place === 'string',
    );
    process.stdout.write(
      `${name.padEnd(20)} ${state.padEnd(9)} process ${pid}  ${formatElapsed(uptimeMs)}  ${where.join('  ')}\n`,
    );
  }
  return EXIT.done;
}

/** What the next command would be refused for. What runs, runs on; so it is no reason to refuse to show it. */
function noteBadProviders(): void {
  try {
    providersOf(process.env);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    note(error.message);
  }
}

function home(): string {
  return stackHome({ env: process.env });
}
