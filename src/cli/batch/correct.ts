import { correctionsOf } from '../../client/corrections.ts';
import type { EnteredData } from '../../client/corrections.ts';
import { requireBatch } from '../../client/require-batch.ts';
import { isJsonObject } from '../../core/json.ts';
import type { Store } from '../../store/open-store.ts';
import { readJsonLines } from '../batch-input/read-jsonl.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { counted, note } from '../output.ts';
import { readEntered } from '../read-entered.ts';
import { withStore } from '../with-store.ts';

/** The options of `batch correct`, as they are typed. */
export interface CorrectFlags {
  readonly data?: string;
  readonly from?: string;
  readonly giveUp?: true;
  readonly by?: string;
}

const MOST_TOLD = 10;

/** `batch correct ID DOC --data JSON`, `batch correct ID --from FILE`, `batch correct ID DOC --give-up`. Starts nothing. */
export async function correctCommand(
  id: string,
  document: string | undefined,
  flags: CorrectFlags,
): Promise<number> {
  const ways = [flags.data, flags.from, flags.giveUp].filter((way) => way !== undefined).length;
  if (ways !== 1 || (document === undefined) !== (flags.from !== undefined)) {
    throw new UsageError(
      'batch correct: expected ID DOCUMENT --data JSON, ID DOCUMENT --give-up, or ID --from FILE.jsonl. See batch review ID.',
    );
  }
  const entered = flags.from === undefined ? [] : await readEnteredLines(flags.from);
  const one = flags.data === undefined ? undefined : { id: document ?? '', data: readEntered(flags.data) };
  return withStore((store) => {
    if (flags.giveUp) return giveUp(store, id, document ?? '');
    const all = one === undefined ? entered : [{ place: '--data', ...one }];
    return correctAll(store, id, all, flags.by);
  });
}

interface EnteredLine extends EnteredData {
  readonly place: string;
}

async function correctAll(
  store: Store,
  id: string,
  entered: readonly EnteredLine[],
  by: string | undefined,
): Promise<number> {
  const corrections = correctionsOf(store, await requireBatch(store, id));
  const wrong = await corrections.correctAll(entered, by);
  if (wrong.size > 0) {
    throw refused(
      [...wrong].map(([index, problem]) => `${entered[index]?.place ?? ''}: ${problem}`),
      'Nothing was written down.',
    );
  }
  const inReview = await store.reviews.count(id, Date.now());
  note(`${counted(entered.length, 'document')} of '${id}' corrected by hand; ${inReview} more to review`);
  return EXIT.done;
}

async function giveUp(store: Store, id: string, document: string): Promise<number> {
  await requireBatch(store, id);
  if (!(await store.reviews.giveUp(id, document))) {
    throw new UsageError(
      `expected a document of '${id}' that waits for a person, got '${document}'. See batch review ${id}.`,
    );
  }
  note(`'${document}' stays as it is`);
  return EXIT.done;
}

async function readEnteredLines(path: string): Promise<readonly EnteredLine[]> {
  const entered: EnteredLine[] = [];
  const bad: string[] = [];
  for await (const { place, content } of readJsonLines(path)) {
    const value = 'bad' in content ? undefined : content.value;
    if (isJsonObject(value) && typeof value['id'] === 'string' && value['data'] !== undefined)
      entered.push({ place, id: value['id'], data: value['data'] });
    else {
      const why = 'bad' in content ? content.bad : 'expected {"id": "…", "data": …}, got something else';
      bad.push(`${place}: ${why}`);
    }
  }
  if (bad.length > 0) throw refused(bad, 'Nothing was written down.');
  if (entered.length === 0)
    throw new UsageError(`--from: expected lines of {"id": "…", "data": …}, got none in '${path}'.`);
  return entered;
}

function refused(problems: readonly string[], end: string): UsageError {
  const more = problems.length > MOST_TOLD ? [`and ${problems.length - MOST_TOLD} more`] : [];
  return new UsageError([...problems.slice(0, MOST_TOLD), ...more, end].join('\n'));
}
