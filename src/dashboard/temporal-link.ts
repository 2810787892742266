/** The way to Temporal, which may come and go while the dashboard runs. */
import { ServiceError, isGrpcServiceError } from '@temporalio/client';
import { DurableExtract } from '../client/durable-extract.ts';
import { resolveTemporalConnection } from '../stack/connection.ts';
import { messageOf } from '../stack/error-facts.ts';
import type { Environment } from '../stack/progress.ts';
import { readStackFile } from '../stack/state-file.ts';

/** How long a view waits for the server; it shows what the store knows instead. */
const VIEW_WAITS_MS = 1_500;
/** A server that did not answer is not asked by each view again. */
const UNREACHABLE_FOR_MS = 3_000;
/** gRPC's numbers for: too late, not there. */
const GONE = new Set([4, 14]);

/** No Temporal server answers. The message says what to do. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** Temporal, as far as it answers. */
export interface TemporalLink {
  /** For a view: undefined where no server answers soon. */
  look<T>(ask: (extractor: DurableExtract) => Promise<T>): Promise<T | undefined>;
  /** For an action. @throws {UnreachableError} */
  act<T>(change: (extractor: DurableExtract) => Promise<T>): Promise<T>;
  /** The page of a workflow in the Temporal Web UI; null where it is not known where that is. */
  webUiOf(workflowId: string): string | null;
  close(): Promise<void>;
}

/** Connects when it is first needed, and again after the server was lost. */
export function temporalLink(place: { readonly env: Environment; readonly home: string }): TemporalLink {
  let connected: Promise<DurableExtract> | undefined;
  let unreachableUntil = 0;

  const connect = (): Promise<DurableExtract> => {
    connected ??= DurableExtract.connect({ env: place.env }).catch((error: unknown) => {
      connected = undefined;
      throw new UnreachableError(
        `No Temporal server answers (${messageOf(error)}). Start it with: durable-extract up`,
        { cause: error },
      );
    });
    return connected;
  };
  const drop = (): void => {
    const lost = connected;
    connected = undefined;
    // It is lost: that it cannot be closed either is no news.
    void lost?.then((extractor) => extractor.close()).catch(() => {});
  };
  const use = async <T>(ask: (extractor: DurableExtract) => Promise<T>): Promise<T> => {
    const extractor = await connect();
    try {
      return await ask(extractor);
    } catch (error) {
      if (!isGone(error)) throw error;
      drop();
      throw new UnreachableError('The Temporal server does not answer. Start it with: durable-extract up', {
        cause: error,
      });
    }
  };
  return {
    async look(ask) {
      if (Date.now() < unreachableUntil || resolveTemporalConnection(place) === undefined) return undefined;
      try {
        return await within(
          VIEW_WAITS_MS,
          use((extractor) => extractor.client.withDeadline(Date.now() + VIEW_WAITS_MS, () => ask(extractor))),
        );
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        unreachableUntil = Date.now() + UNREACHABLE_FOR_MS;
        return undefined;
      }
    },
    act(change) {
      unreachableUntil = 0;
      return use(change);
    },
    webUiOf: (workflowId) => webUiOf(place, workflowId),
    async close() {
      await (await connected?.catch(() => undefined))?.close();
    },
  };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new UnreachableError(`no answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
    // Whoever waited has left: a later failure is nobody's any more.
    work.catch(() => {});
  }
}

function isGone(error: unknown): boolean {
  const cause = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(cause) && GONE.has(cause.code);
}

/** `DURABLE_EXTRACT_WEB_UI`, or that of the embedded server. */
function webUiOf(
  { env, home }: { readonly env: Environment; readonly home: string },
  workflowId: string,
): string | null {
  const resolved = resolveTemporalConnection({ env, home });
  if (resolved === undefined) return null;
  const embedded = resolved.external ? undefined : readStackFile(home).processes['server']?.details['uiUrl'];
  const base = env['DURABLE_EXTRACT_WEB_UI'] || embedded;
  if (typeof base !== 'string' || !/^https?:\/\//.test(base)) return null;
  const path = ['namespaces', resolved.namespace, 'workflows', workflowId].map(encodeURIComponent).join('/');
  return `${base.replace(/\/+$/, '')}/${path}`;
}
