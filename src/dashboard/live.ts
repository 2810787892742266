/** Views that are read again and again while somebody looks, and sent where they have changed. */
import type { ServerResponse } from 'node:http';
import { messageOf } from '../stack/error-facts.ts';

const READ_EVERY_MS = 1_000;
/** A view that is costly to read is read less often: it takes at most this share of the time. */
const SHARE_OF_TIME = 0.1;
/** Proxies close what is silent. */
const SIGN_OF_LIFE_MS = 15_000;
/** Whoever does not read as fast as it comes begins anew. */
const MOST_UNREAD_BYTES = 8_000_000;

/** Sends views to browsers as server-sent events. */
export interface LiveViews {
  /** Streams a view, named by its address, until the browser leaves. `read` gives its data. */
  stream(response: ServerResponse, address: string, read: () => Promise<unknown>): void;
  /** Reads everything again at once: something was done. */
  refresh(): void;
  stop(): void;
}

interface Watched {
  readonly address: string;
  readonly read: () => Promise<unknown>;
  readonly watchers: Set<ServerResponse>;
  /** The event that was sent last. */
  last: string | undefined;
  timer: NodeJS.Timeout | undefined;
  isReading: boolean;
  isStale: boolean;
}

/** Two browsers that look at the same are served by one reading. */
export function liveViews(): LiveViews {
  const views = new Map<string, Watched>();

  const read = async (view: Watched): Promise<void> => {
    clearTimeout(view.timer);
    if (view.isReading) {
      view.isStale = true;
      return;
    }
    view.isReading = true;
    view.isStale = false;
    const begun = performance.now();
    const event = await eventOf(view.read);
    const tookMs = performance.now() - begun;
    view.isReading = false;
    if (event !== view.last) for (const watcher of view.watchers) send(watcher, event);
    view.last = event;
    if (view.watchers.size === 0) {
      views.delete(view.address);
      return;
    }
    const pauseMs = view.isStale ? 0 : Math.max(READ_EVERY_MS, tookMs / SHARE_OF_TIME);
    view.timer = setTimeout(() => void read(view), pauseMs);
  };
  const signOfLife = setInterval(() => {
    for (const { watchers } of views.values())
      for (const watcher of watchers) send(watcher, ': still here\n\n');
  }, SIGN_OF_LIFE_MS);
  signOfLife.unref();

  return {
    stream(response, address, readView) {
      const view = views.get(address) ?? {
        address,
        read: readView,
        watchers: new Set(),
        last: undefined,
        timer: undefined,
        isReading: false,
        isStale: false,
      };
      views.set(address, view);
      view.watchers.add(response);
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      response.write('retry: 1000\n\n');
      if (view.last !== undefined) send(response, view.last);
      response.once('close', () => {
        view.watchers.delete(response);
        if (view.watchers.size > 0 || view.isReading) return;
        clearTimeout(view.timer);
        views.delete(address);
      });
      if (view.timer === undefined && !view.isReading) void read(view);
    },
    refresh() {
      for (const view of views.values()) void read(view);
    },
    stop() {
      clearInterval(signOfLife);
      for (const view of views.values()) {
        clearTimeout(view.timer);
        for (const watcher of view.watchers) watcher.destroy();
      }
      views.clear();
    },
  };
}

/** JSON holds no line break, so that one line is one event. */
async function eventOf(read: () => Promise<unknown>): Promise<string> {
  try {
    return `data: ${JSON.stringify(await read())}\n\n`;
  } catch (error) {
    return `event: problem\ndata: ${JSON.stringify({ message: messageOf(error) })}\n\n`;
  }
}

function send(response: ServerResponse, event: string): void {
  if (response.writableLength > MOST_UNREAD_BYTES) response.destroy();
  else response.write(event);
}
