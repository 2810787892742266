import type { Stats, StatsFilter } from '../core/stats.ts';
import { grouped } from '../core/grouped.ts';
import { storedBatch } from './batch/stored-batch.ts';
import { EXIT, UsageError } from './exit-codes.ts';
import { print } from './output.ts';
import { readNonEmpty } from './read-settings.ts';
import { withStore } from './with-store.ts';

/** The options of `stats`, as they are typed. */
export interface StatsFlags {
  readonly since?: string;
  readonly until?: string;
  readonly schema?: string;
  readonly model?: string;
  readonly batch?: string;
  readonly json?: true;
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const AGO = /^(\d{1,6})([smhd])$/;
/** A date, or a date and time with a zone: without one it would mean another moment on another machine. */
const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;
/** Lines of the table that there may be hundreds of. */
const MOST_LINES = 10;
const WIDTH = 80;
const LABEL_WIDTH = 18;

/** `stats`: the figures, from the store alone. Starts nothing. */
export async function statsCommand(flags: StatsFlags): Promise<number> {
  const filter = readFilter(flags, Date.now());
  // An unknown batch is a slip of the pen, and not a batch without figures.
  if (filter.batch !== undefined) await storedBatch(filter.batch);
  const stats = await withStore((store) => store.stats.read(filter));
  if (flags.json) print(stats);
  else process.stdout.write(`${linesOf(stats).join('\n')}\n`);
  return EXIT.done;
}

/** @throws {UsageError} */
export function readFilter(flags: StatsFlags, now: number): StatsFilter {
  const { since, until, schema, model, batch } = flags;
  const filter = {
    ...(since === undefined ? {} : { since: readTime('--since', since, now) }),
    ...(until === undefined ? {} : { until: readTime('--until', until, now) }),
    ...(schema === undefined ? {} : { schema: readNonEmpty('--schema', schema) }),
    ...(model === undefined ? {} : { model: readNonEmpty('--model', model) }),
    ...(batch === undefined ? {} : { batch: readNonEmpty('--batch', batch) }),
  };
  if (filter.since !== undefined && filter.until !== undefined && filter.until <= filter.since) {
    throw new UsageError(
      `--until: expected a time after --since ('${since}'), got '${until}'. Give a later one, or leave it out for now.`,
    );
  }
  return filter;
}

function readTime(flag: string, given: string, now: number): number {
  const [, count, unit] = AGO.exec(given) ?? [];
  const ago = now - Number(count) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  const at = ISO.test(given) ? Date.parse(given) : ago;
  if (Number.isFinite(at) && at >= 0) return at;
  throw new UsageError(
    `${flag}: expected how long ago (30m, 24h, 7d) or a time in ISO 8601 with its zone (2026-11-25T08:00:00Z), got '${given}'. ` +
      `Write it so, or leave ${flag} out.`,
  );
}

function linesOf(stats: Stats): readonly string[] {
  const { extractions, calls } = stats;
  if (extractions === 0 && calls === 0) return [`nothing was extracted${rangeText(stats)}`];
  return [
    `${grouped(extractions)} extractions${rangeText(stats)}`,
    line('succeeded', `${grouped(stats.succeeded)}  ${percent(stats.successRate)}`),
    line('at first try', percent(stats.firstTryRate)),
    line('attempts', `${stats.averageAttempts?.toFixed(2) ?? '-'} on average`),
    line('calls', `${grouped(calls)}, wasted ${grouped(stats.wastedCalls)} (${percent(stats.wastedShare)})`),
    line('tokens', `${grouped(stats.promptTokens)} prompt, ${grouped(stats.completionTokens)} completion`),
    line('cost', stats.costUsd === null ? 'not known' : `$${stats.costUsd.toFixed(4)}`),
    line('latency', `p50 ${milliseconds(stats.latency.p50Ms)}, p95 ${milliseconds(stats.latency.p95Ms)}`),
    ...section('answers accepted', attemptRows(stats)),
    ...section('what was wrong', problemRows(stats)),
    ...section(
      'provider failures',
      countRows(stats.providerFailures.map(({ type, count }) => [type, count])),
    ),
    ...section('gave up', countRows(stats.stoppedReasons.map(({ reason, count }) => [reason, count]))),
  ];
}

function rangeText({ since, until }: Stats): string {
  return `${since === null ? '' : ` since ${since}`}${until === null ? '' : ` until ${until}`}`;
}

function line(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${text}`;
}

function section(title: string, rows: readonly string[]): readonly string[] {
  if (rows.length === 0) return [];
  const left = rows.length - MOST_LINES;
  return [
    '',
    title,
    ...rows.slice(0, MOST_LINES),
    ...(left > 0 ? [`  and ${grouped(left)} more: --json has them`] : []),
  ];
}

function attemptRows({ successByAttempt }: Stats): readonly string[] {
  return successByAttempt.map(({ attempt, answers, accepted, share }) =>
    line(`attempt ${attempt}`, `${grouped(accepted)} of ${grouped(answers)}  ${percent(share)}`),
  );
}

function problemRows({ errors }: Stats): readonly string[] {
  return countRows(
    errors.map(({ kind, path, count }) => [`${kind.padEnd(LABEL_WIDTH)}${shown(path)}`, count]),
  );
}

/** Paths hold what models wrote: nothing in them moves the cursor, and the rest is one line. */
function shown(path: string): string {
  const text = path.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{FFFD}');
  const most = WIDTH - 2 * LABEL_WIDTH;
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function countRows(rows: readonly (readonly [string, number])[]): readonly string[] {
  const width = Math.max(0, ...rows.map(([, count]) => grouped(count).length));
  return rows.map(([text, count]) => `  ${grouped(count).padStart(width)}  ${text}`.trimEnd());
}

function percent(share: number | null): string {
  return share === null ? '-' : `${(share * 100).toFixed(1)} %`;
}

function milliseconds(ms: number | null): string {
  return ms === null ? '-' : `${grouped(ms)} ms`;
}
