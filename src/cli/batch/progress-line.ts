import type { BatchStatus } from '../../core/batch-contract.ts';
import { formatElapsed } from '../../stack/progress.ts';

/** The rate is that of the last so many milliseconds. */
const WINDOW_MS = 15_000;
const BAR_WIDTH = 24;

/** Turns one status after the other into lines that tell how a batch comes along. */
export interface ProgressLine {
  /** @param now in milliseconds, of any clock that only goes forward. */
  next(status: BatchStatus, now: number): string;
}

/** Remembers the last statuses, for the rate and the time left. */
export function progressLine(): ProgressLine {
  const seen: { readonly at: number; readonly done: number }[] = [];
  return {
    next(status, now) {
      const done = status.total - status.pending;
      seen.push({ at: now, done });
      while (seen.length > 2 && now - (seen[1]?.at ?? now) >= WINDOW_MS) seen.shift();
      const first = seen[0] ?? { at: now, done };
      const perSecond = now > first.at ? ((done - first.done) * 1_000) / (now - first.at) : 0;
      return lineOf(status, done, perSecond);
    },
  };
}

function lineOf(status: BatchStatus, done: number, perSecond: number): string {
  const { id, total, failed, retrying, pending, state } = status;
  const share = total === 0 ? 1 : done / total;
  const filled = Math.floor(share * BAR_WIDTH);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
  const isMoving = state === 'running' && perSecond > 0;
  return [
    `${id} ${bar} ${Math.floor(share * 100)} %`,
    `${grouped(done)} of ${grouped(total)}`,
    ...(isMoving ? [`${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`] : []),
    `${grouped(failed)} failed`,
    ...(retrying > 0 ? [`${grouped(retrying)} retrying`] : []),
    spendOf(status),
    ...(isMoving && pending > 0 ? [`${formatElapsed((pending / perSecond) * 1_000)} left`] : []),
    ...(state === 'running' ? [] : [state]),
  ].join(' · ');
}

/** `1,204 calls, 803,112 tokens, $0.12`. */
export function spendOf({ calls, promptTokens, completionTokens, costUsd }: BatchStatus): string {
  const cost = costUsd === null ? ['cost unknown'] : costUsd > 0 ? [`$${costUsd.toFixed(2)}`] : [];
  return [`${grouped(calls)} calls`, `${grouped(promptTokens + completionTokens)} tokens`, ...cost].join(
    ', ',
  );
}

/** `12,345`. */
export function grouped(count: number): string {
  return count.toLocaleString('en');
}
