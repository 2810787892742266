import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelReply, ModelRequest, Provider } from '../../src/provider/provider.ts';

/** What a test decides of one call: an answer, or a throw. `call` counts this document's, from 1. */
export type Answering = (options: {
  readonly text: string;
  readonly call: number;
  readonly request: ModelRequest;
}) => Promise<string> | string;

/** A provider in this process, that answers by the document's text. */
export interface ReadingProvider {
  readonly provider: Provider;
  /** Calls by the document's text. */
  readonly calls: ReadonlyMap<string, number>;
  inFlight(): number;
  /** The most calls in flight since this was asked last. */
  takePeak(): number;
}

/** Answers each call after `latencyMs`, as `answering` says. */
export function readingProvider(options: {
  readonly answering: Answering;
  readonly latencyMs?: number;
}): ReadingProvider {
  const calls = new Map<string, number>();
  let inFlight = 0;
  let peak = 0;
  const call = async (request: ModelRequest, signal: AbortSignal): Promise<ModelReply> => {
    const document = request.messages.find(({ role }) => role === 'user')?.content ?? '';
    const text = /<document>\n([^]*)\n<\/document>/.exec(document)?.[1] ?? document;
    const number = (calls.get(text) ?? 0) + 1;
    calls.set(text, number);
    inFlight += 1;
    peak = Math.max(peak, inFlight);
    try {
      await sleep(options.latencyMs ?? 0, undefined, { signal });
      const answer = await options.answering({ text, call: number, request });
      return { text: answer, finish: 'stop', usage: { promptTokens: 100, completionTokens: 10 } };
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      inFlight -= 1;
    }
  };
  return {
    provider: { name: 'reading', simulated: true, defaultModel: 'reading', call },
    calls,
    inFlight: () => inFlight,
    takePeak() {
      const most = peak;
      peak = inFlight;
      return most;
    },
  };
}
