import { CancelledFailure, TerminatedFailure, WorkflowFailedError } from '@temporalio/client';
import { DurableExtract } from '../client/durable-extract.ts';
import type { ExtractHandle } from '../client/durable-extract.ts';
import { InvalidInputError } from '../client/invalid-input-error.ts';
import { STRATEGIES } from '../core/contract.ts';
import type { Outcome, OutcomeError, StrategyName } from '../core/contract.ts';
import type { Json } from '../core/json.ts';
import { stackHome } from '../stack/home.ts';
import type { OnProgress } from '../stack/progress.ts';
import { EXIT, UsageError } from './exit-codes.ts';
import { requireExternalWorker } from './external-workers.ts';
import { onInterrupt } from './interrupt.ts';
import { counted, note, print } from './output.ts';
import { readSchema } from './read-schema.ts';
import type { NamedSchema } from './read-schema.ts';
import { readText } from './read-text.ts';
import { ensureRunning } from './running-stack.ts';
import { watchExtraction } from './watch-extraction.ts';

/** The options of `extract`, as they are typed. */
export interface ExtractFlags {
  readonly file?: string;
  readonly schema?: string;
  readonly model?: string;
  readonly strategy?: string;
  readonly maxAttempts?: string;
  readonly id?: string;
  readonly json?: true;
}

/** The contract's own limit. */
const MAX_ATTEMPTS = 100;
/** Temporal takes 1000 characters; the prefix takes some. */
const MAX_ID_CHARS = 900;

/** `extract [TEXT]`: data (or, with `--json`, the whole outcome) on stdout, the rest on stderr. */
export async function extractCommand(
  given: string | undefined,
  flags: ExtractFlags,
  onProgress: OnProgress,
): Promise<number> {
  const schema = readSchema(flags.schema);
  const settings = readSettings(flags);
  const text = await readText(given, flags.file);

  const place = { home: stackHome({ env: process.env }), env: process.env };
  const stack = await ensureRunning({ ...place, onProgress });
  if (stack.external) await requireExternalWorker(place);
  const extractor = await DurableExtract.connect();
  try {
    const handle = await extractor.startExtract({ text, schema, ...settings });
    if (!handle.started) note(`'${handle.id}' was started before: this is its one outcome`);
    const { workflow } = extractor.client;
    const outcome = await awaited(handle, {
      describe: () => workflow.getHandle(handle.workflowId).describe(),
      comeBack: comeBackCommand(given, flags, handle.id),
    });
    if (outcome === undefined) return EXIT.notExtracted;
    report(outcome);
    if (flags.json) print(outcome);
    else if (outcome.success) print(outcome.data);
    return outcome.success ? EXIT.done : EXIT.notExtracted;
  } catch (error) {
    throw adviceOnSchemaName(error, schema);
  } finally {
    await extractor.close();
  }
}

/** The outcome; undefined where somebody cancelled or terminated the extraction. */
async function awaited(
  handle: ExtractHandle<Json>,
  options: {
    readonly describe: Parameters<typeof watchExtraction>[0]['describe'];
    readonly comeBack: string;
  },
): Promise<Outcome | undefined> {
  const stopWatching = watchExtraction({ describe: options.describe, say: note });
  const ignoreInterrupts = onInterrupt(() =>
    note(`\n'${handle.id}' goes on without this command. Come back for its outcome:\n  ${options.comeBack}`),
  );
  try {
    return await handle.result();
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
    const isCancelled = cause instanceof CancelledFailure;
    if (!isCancelled && !(cause instanceof TerminatedFailure)) throw error;
    note(`not extracted: '${handle.id}' was ${isCancelled ? 'cancelled' : 'terminated'}`);
    return undefined;
  } finally {
    ignoreInterrupts();
    stopWatching();
  }
}

function readSettings({ model, strategy, maxAttempts, id }: ExtractFlags) {
  return {
    ...(model === undefined ? {} : { model: readNonEmpty('--model', model) }),
    ...(strategy === undefined ? {} : { strategy: readStrategy(strategy) }),
    ...(maxAttempts === undefined ? {} : { retry: { maxAttempts: readAttempts(maxAttempts) } }),
    ...(id === undefined ? {} : { id: readNonEmpty('--id', id) }),
  };
}

function readNonEmpty(flag: string, given: string): string {
  if (given.trim() !== '' && given.length <= MAX_ID_CHARS) return given;
  const got = given.trim() === '' ? 'an empty one' : `${given.length} characters`;
  throw new UsageError(
    `${flag}: expected a name of 1 to ${MAX_ID_CHARS} characters, got ${got}. Give one, or leave ${flag} out.`,
  );
}

function readStrategy(given: string): StrategyName {
  const strategy = STRATEGIES.find((name) => name === given);
  if (strategy !== undefined) return strategy;
  throw new UsageError(
    `--strategy: expected one of ${STRATEGIES.join(', ')}, got '${given}'. Use one of them.`,
  );
}

function readAttempts(given: string): number {
  if (/^[1-9]\d{0,2}$/.test(given) && Number(given) <= MAX_ATTEMPTS) return Number(given);
  throw new UsageError(
    `--max-attempts: expected a whole number from 1 to ${MAX_ATTEMPTS}, got '${given}'. Leave it out for 3.`,
  );
}

/** The worker alone knows the registered names, and cannot know that the caller has files. */
function adviceOnSchemaName(error: unknown, schema: NamedSchema): unknown {
  if (!(error instanceof InvalidInputError) || typeof schema !== 'string') return error;
  if (!error.message.startsWith('schema.name:')) return error;
  return new UsageError(
    `--schema: ${error.message.slice('schema.name:'.length).trim()}\nA JSON Schema file is named by its path: --schema ./${schema}.json`,
    { cause: error },
  );
}

/** The same input under the same id joins the extraction instead of starting another. */
function comeBackCommand(given: string | undefined, flags: ExtractFlags, id: string): string {
  const named = Object.entries({ ...flags, id, json: undefined }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name === 'maxAttempts' ? 'max-attempts' : name} ${quoted(value)}`],
  );
  const text = given === undefined ? [] : [quoted(given)];
  const fromInput = given === undefined && flags.file === undefined ? ['< the same text'] : [];
  return ['durable-extract extract', ...text, ...named, ...(flags.json ? ['--json'] : []), ...fromInput].join(
    ' ',
  );
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function report(outcome: Outcome): void {
  for (const error of outcome.errors) note(errorLines(error));
  for (const { path, message } of outcome.repairs) note(`repaired${path ? ` ${path}` : ''}: ${message}`);
  const { calls, promptTokens, completionTokens, costUsd } = outcome.usage;
  const spent = [
    counted(outcome.attempts, 'attempt'),
    counted(calls, 'call'),
    counted(promptTokens + completionTokens, 'token'),
    ...(costUsd ? [`$${costUsd.toPrecision(2)}`] : []),
    outcome.model,
  ].join(', ');
  note(`${outcome.success ? 'extracted' : `not extracted (${outcome.stopped})`}: ${spent}`);
  if (outcome.simulated) note('SIMULATED: no model was asked; set OPENAI_API_KEY to ask one');
}

function errorLines(error: OutcomeError): string {
  const headline = `attempt ${error.attempt}: ${error.type}: ${error.message}`;
  if (!('details' in error)) {
    return error.delayMs === null ? headline : `${headline}; called again after ${error.delayMs} ms`;
  }
  return [
    headline,
    ...error.details.map(({ path, message }) => `    ${path || '(answer)'}: ${message}`),
  ].join('\n');
}
