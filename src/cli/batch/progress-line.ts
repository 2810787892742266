import { grouped } from '../../core/grouped.ts';
import type { BatchStatus } from '../../core/batch-contract.ts';
import { paceMeter } from '../../core/pace.ts';
import { formatElapsed } from '../../stack/progress.ts';

const BAR_WIDTH = 24;
/** A shorter one tells less than what it would crowd out. */
const SHORTEST_BAR = 4;

/** Turns one status after the other into lines that tell how a batch comes along. */
export interface ProgressLine {
  /**
   * @param now in milliseconds, of any clock that only goes forward.
   * @param columns that the line may take, at most.
   */
  next(status: BatchStatus, now: number, columns: number): string;
}

/** Remembers the last statuses, for the rate and the time left. */
export function progressLine(): ProgressLine {
  const pace = paceMeter();
  return {
    next(status, now, columns) {
      const perSecond = pace.next(status.total - status.pending, now);
      return lineOf(status, perSecond, columns);
    },
  };
}

/** Where there is little room, the bar gets shorter, and what a glance misses least is left out. The end stays. */
function lineOf(status: BatchStatus, perSecond: number, columns: number): string {
  const parts = partsOf(status, perSecond);
  const roomForBar = () => columns - `${status.id}  ${wordsOf(status, parts)}`.length;
  for (const dispensable of ['spend', 'retrying', 'rate'] as const) {
    if (roomForBar() < SHORTEST_BAR) parts.delete(dispensable);
  }
  const words = wordsOf(status, parts);
  const bar = barOf(shareOf(status), Math.min(BAR_WIDTH, roomForBar()));
  if (bar !== '') return `${status.id} ${bar} ${words}`;
  const roomForId = columns - words.length - 1;
  if (status.id.length <= roomForId) return `${status.id} ${words}`;
  return roomForId > 1 ? `${status.id.slice(0, roomForId - 1)}… ${words}` : words.slice(-columns);
}

type Part = 'count' | 'rate' | 'failed' | 'retrying' | 'spend' | 'left' | 'state';

/** In the order in which they are told. */
function partsOf(status: BatchStatus, perSecond: number): Map<Part, string> {
  const { total, failed, retrying, pending, state } = status;
  const isMoving = state === 'running' && perSecond > 0;
  const parts = new Map<Part, string>();
  parts.set('count', `${grouped(total - pending)} of ${grouped(total)}`);
  if (isMoving) parts.set('rate', `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`);
  parts.set('failed', `${grouped(failed)} failed`);
  if (retrying > 0) parts.set('retrying', `${grouped(retrying)} retrying`);
  parts.set('spend', spendOf(status));
  if (isMoving && pending > 0) parts.set('left', `${formatElapsed((pending / perSecond) * 1_000)} left`);
  if (state !== 'running') parts.set('state', state);
  return parts;
}

function wordsOf(status: BatchStatus, parts: ReadonlyMap<Part, string>): string {
  return [`${Math.floor(shareOf(status) * 100)} %`, ...parts.values()].join(' · ');
}

function shareOf({ total, pending }: BatchStatus): number {
  return total === 0 ? 1 : (total - pending) / total;
}

function barOf(share: number, width: number): string {
  if (width < SHORTEST_BAR) return '';
  const filled = Math.floor(share * width);
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
}

/** `1,204 calls, 803,112 tokens, $0.12`. */
export function spendOf({ calls, promptTokens, completionTokens, costUsd }: BatchStatus): string {
  const cost = costUsd === null ? ['cost unknown'] : costUsd > 0 ? [`$${costUsd.toFixed(2)}`] : [];
  return [`${grouped(calls)} calls`, `${grouped(promptTokens + completionTokens)} tokens`, ...cost].join(
    ', ',
  );
}
