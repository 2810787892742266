import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openAiProvider } from '../../src/provider/openai.ts';
import type { Provider } from '../../src/provider/provider.ts';

/** What the provider does with one request. */
export type Reply =
  | AnswerReply
  | { readonly status: number; readonly headers?: Record<string, string>; readonly code?: string }
  | { readonly hang: true }
  | { readonly reset: true };

interface AnswerReply {
  readonly answer: string;
  readonly finish?: string;
  readonly refusal?: string;
  /** The answer is held back until this settles. */
  readonly after?: Promise<unknown>;
}

/** One request, as the provider saw it. */
export interface Seen {
  readonly at: number;
  readonly body: { readonly messages: readonly { readonly role: string; readonly content: string }[] };
  /** Set when the client went away before it was answered. */
  abortedAt?: number;
  /** Set when an answer (not an error) went out whole. */
  answeredAt?: number;
}

/** A real HTTP server that answers as a script says: the n-th request gets the n-th reply, the last one for ever. */
export async function startScriptedProvider(script: readonly Reply[]): Promise<{
  readonly provider: Provider;
  /** For workers in processes of their own. */
  readonly url: string;
  readonly seen: readonly Seen[];
  stop(): Promise<void>;
}> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const entry: Seen = { at: Date.now(), body: JSON.parse(Buffer.concat(chunks).toString()) };
      const reply = script[Math.min(seen.length, script.length - 1)]!;
      seen.push(entry);
      response.on('close', () => {
        if (!response.writableFinished) entry.abortedAt = Date.now();
      });
      if ('hang' in reply) return;
      if ('reset' in reply) {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write('{"choices": [');
        setImmediate(() => response.destroy());
        return;
      }
      if ('status' in reply) {
        response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
        response.end(
          JSON.stringify({
            error: { message: 'scripted sk-secret', code: reply.code ?? null, type: 'x', param: null },
          }),
        );
        return;
      }
      void answer(reply, entry, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/v1`;
  return {
    seen,
    url,
    provider: openAiProvider({
      name: 'scripted',
      apiKey: 'sk-secret',
      baseUrl: url,
      defaultModel: 'scripted',
    }),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(reply: AnswerReply, entry: Seen, response: ServerResponse): Promise<void> {
  await reply.after;
  if (response.destroyed) return;
  response.on('finish', () => {
    entry.answeredAt = Date.now();
  });
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(completionOf(reply));
}

function completionOf(reply: AnswerReply): string {
  return JSON.stringify({
    id: 'x',
    object: 'chat.completion',
    model: 'scripted',
    choices: [
      {
        index: 0,
        finish_reason: reply.finish ?? 'stop',
        message: { role: 'assistant', content: reply.answer, refusal: reply.refusal ?? null },
      },
    ],
    usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
  });
}
