import { CancelledFailure, TerminatedFailure, WorkflowFailedError } from '@temporalio/client';
import type { ExtractHandle } from '../client/durable-extract.ts';
import type { Outcome, OutcomeError } from '../core/contract.ts';
import type { Json } from '../core/json.ts';
import type { OnProgress } from '../stack/progress.ts';
import { connectToRunning } from './connect-to-running.ts';
import { EXIT } from './exit-codes.ts';
import { onInterrupt } from './interrupt.ts';
import { counted, note, print } from './output.ts';
import { adviceOnSchemaName, readSchema } from './read-schema.ts';
import { readBudget, readNonEmpty, readSettings } from './read-settings.ts';
import type { BudgetFlags, SettingFlags } from './read-settings.ts';
import { readText } from './read-text.ts';
import { watchExtraction } from './watch-extraction.ts';

/** The options of `extract`, as they are typed. */
export interface ExtractFlags extends SettingFlags, BudgetFlags {
  readonly file?: string;
  readonly schema?: string;
  readonly id?: string;
  readonly json?: true;
}

/** `extract [TEXT]`: data (or, with `--json`, the whole outcome) on stdout, the rest on stderr. */
export async function extractCommand(
  given: string | undefined,
  flags: ExtractFlags,
  onProgress: OnProgress,
): Promise<number> {
  const schema = readSchema('extract', flags.schema);
  const budget = readBudget(flags);
  const settings = {
    // Somebody sits before it: that a key is refused is to be said, and not waited out.
    onOutage: 'fail' as const,
    ...readSettings(flags),
    ...(budget === undefined ? {} : { budget }),
    ...(flags.id === undefined ? {} : { id: readNonEmpty('--id', flags.id) }),
  };
  const text = await readText(given, flags.file);

  const extractor = await connectToRunning(onProgress);
  try {
    const handle = await extractor.startExtract({ text, schema, ...settings });
    if (!handle.started) note(`'${handle.id}' was started before: this is its one outcome`);
    const { workflow } = extractor.client;
    const outcome = await awaited(handle, {
      describe: () => workflow.getHandle(handle.workflowId).describe(),
      waitsForPerson: settings.onExhausted === 'review',
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
    readonly waitsForPerson: boolean;
    readonly comeBack: string;
  },
): Promise<Outcome | undefined> {
  const stopWatching = watchExtraction({
    describe: options.describe,
    say: note,
    ...(options.waitsForPerson ? { isInReview: () => isInReview(handle) } : {}),
    inReview: `'${handle.id}' waits for a person. In another terminal: durable-extract correct ${quoted(handle.id)} --data JSON`,
  });
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

async function isInReview(handle: ExtractHandle<Json>): Promise<boolean> {
  return (await handle.conversation())?.status === 'review';
}

/** The same input under the same id joins the extraction instead of starting another. */
function comeBackCommand(given: string | undefined, flags: ExtractFlags, id: string): string {
  const named = Object.entries({ ...flags, id, json: undefined }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${flagOf(name)} ${quoted(value)}`],
  );
  const text = given === undefined ? [] : [quoted(given)];
  const fromInput = given === undefined && flags.file === undefined ? ['< the same text'] : [];
  return ['durable-extract extract', ...text, ...named, ...(flags.json ? ['--json'] : []), ...fromInput].join(
    ' ',
  );
}

/** `maxAttempts` is typed `max-attempts`. */
function flagOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
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
  if (outcome.correction)
    note(`entered by hand${outcome.correction.by === null ? '' : `, by ${outcome.correction.by}`}`);
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
