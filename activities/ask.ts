import type {
  ResolvedMode,
  RetryConfig,
  SchemaReference,
  Turn,
  Usage,
  Verdict,
} from '../src/core/contract.ts';
import { judge } from '../src/core/judge.ts';
import { callModel } from './call-model.ts';
import type { CallLedger } from './call-model.ts';
import { composeMessages } from './compose-messages.ts';
import { usageOf } from './spent.ts';
import type { World } from './world.ts';

/** One attempt of a conversation. */
export interface AskInput {
  readonly attempt: number;
  readonly text: string;
  readonly schema: SchemaReference;
  readonly systemPrompt?: string;
  readonly provider: string;
  readonly model: string;
  readonly mode: ResolvedMode;
  readonly coerce: boolean;
  readonly turns: readonly Turn[];
  readonly reframe: boolean;
  readonly maxOutputTokens?: number;
  readonly retry: RetryConfig;
  readonly timeoutMs: number;
}

/** An answer, judged. */
export interface AskResult {
  readonly verdict: Verdict;
  /** The answer as it came, shortened to {@link MAX_ANSWER_CHARS}, where the conversation needs it again; else empty. */
  readonly answer: string;
  readonly usage: Usage;
  readonly ledger: CallLedger;
}

/** A rejected answer travels back to the model, and lies in the history: a bound for runaway ones. */
const MAX_ANSWER_CHARS = 65_536;

/** Asks the model once and judges what it says. */
export async function ask(world: World, input: AskInput): Promise<AskResult> {
  const { attempt, model, mode, retry, timeoutMs, maxOutputTokens } = input;
  const schema = world.schemas.compile(input.schema);
  const named = { name: input.schema.name, jsonSchema: schema.jsonSchema };
  const { reply, ledger } = await callModel({
    provider: world.provider(input.provider),
    attempt,
    retry,
    request: {
      model,
      mode,
      timeoutMs,
      schema: named,
      messages: composeMessages({
        ...(input.systemPrompt === undefined ? {} : { systemPrompt: input.systemPrompt }),
        schema: named,
        mode,
        text: input.text,
        turns: input.turns,
        reframe: input.reframe,
      }),
      ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    },
  });
  const verdict = judge(reply, schema, { coerce: input.coerce });
  return {
    verdict,
    answer: verdict.status === 'rejected' ? reply.text.slice(0, MAX_ANSWER_CHARS) : '',
    usage: usageOf({ provider: world.provider(input.provider), model, reply, ledger }),
    ledger,
  };
}
