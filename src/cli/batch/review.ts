import { writeFile } from 'node:fs/promises';
import { waitingIn } from '../../client/corrections.ts';
import { requireBatch } from '../../client/require-batch.ts';
import { NO_DEADLINE } from '../../core/correction.ts';
import type { ProblemDetail, StopReason } from '../../core/contract.ts';
import type { Json } from '../../core/json.ts';
import { messageOf } from '../../stack/error-facts.ts';
import type { Store } from '../../store/open-store.ts';
import type { Review } from '../../store/reviews.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { counted, note, print } from '../output.ts';
import { withStore } from '../with-store.ts';
import type { BatchFlags } from './flags.ts';

/** The options of `batch review`, as they are typed. */
export interface ReviewFlags extends BatchFlags {
  readonly out?: string;
}

/** A document that waits for a person: `data` is what the model said last, to be put right. */
interface ReviewLine {
  readonly id: string;
  readonly data: Json;
  readonly problems: readonly (Pick<ProblemDetail, 'path' | 'message'> & { readonly received?: Json })[];
  readonly stopped: StopReason | null;
  /** ISO 8601; null where it waits as long as it takes. */
  readonly until: string | null;
  readonly text: string;
}

/** `batch review ID`: the documents that wait for a person; with `--out`, as a file for `batch correct --from`. */
export async function reviewCommand(id: string, { json, out }: ReviewFlags): Promise<number> {
  return withStore(async (store) => {
    await requireBatch(store, id);
    const lines: ReviewLine[] = [];
    for await (const review of waitingIn(store, id)) lines.push(lineOf(review, await textOf(store, review)));
    if (out !== undefined) await writeLines(out, lines);
    if (json) print(lines);
    else if (out === undefined) for (const line of lines) process.stdout.write(`${wordsOf(line)}\n`);
    const waiting = `${counted(lines.length, 'document')} of '${id}' ${lines.length === 1 ? 'waits' : 'wait'} for a person`;
    if (lines.length === 0) note(`no document of '${id}' waits for a person`);
    else if (out === undefined)
      note(`${waiting}. To correct them: durable-extract batch review ${id} --out review.jsonl`);
    else
      note(`${waiting}: put 'data' right in ${out}, then: durable-extract batch correct ${id} --from ${out}`);
    return EXIT.done;
  });
}

async function textOf(store: Store, { batchId, seq }: Review): Promise<string> {
  return seq === null ? '' : store.documents.textOf({ id: '', batch: batchId, seq });
}

function lineOf({ documentId, record, problem, stopped, until }: Review, text: string): ReviewLine {
  const problems = problem?.details.map(({ path, message, received }) => ({
    path,
    message,
    ...(received === undefined ? {} : { received }),
  }));
  return {
    id: documentId,
    data: record,
    problems: problems ?? [],
    stopped,
    until: until === NO_DEADLINE ? null : new Date(until).toISOString(),
    text,
  };
}

function wordsOf({ id, stopped, problems, until }: ReviewLine): string {
  const words = problems.map(({ path, message }) => `${path || '(answer)'}: ${message}`);
  return [
    `${id}  ${stopped ?? ''}${until === null ? '' : `  until ${until}`}`,
    ...words.map((line) => `    ${line}`),
  ].join('\n');
}

async function writeLines(path: string, lines: readonly ReviewLine[]): Promise<void> {
  try {
    await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  } catch (error) {
    throw new UsageError(`--out: expected a file that can be written, got '${path}': ${messageOf(error)}.`, {
      cause: error,
    });
  }
}
