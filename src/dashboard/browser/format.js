/** Numbers and times as people read them. */
import { h } from './dom.js';

const whole = new Intl.NumberFormat('en');
const clock = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const timeOnly = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

/**
 * `12,345`.
 *
 * @param {number} count
 */
export function grouped(count) {
  return whole.format(Math.round(count));
}

/**
 * `1 call`, `2 calls`.
 *
 * @param {number} count
 * @param {string} noun
 */
export function counted(count, noun) {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/**
 * `98.2 %`; `–` where there is nothing to have a share of.
 *
 * @param {number | null} share
 */
export function percent(share) {
  if (share === null || Number.isNaN(share)) return '–';
  const digits = share === 0 || share === 1 ? 0 : 1;
  return `${(share * 100).toFixed(digits)} %`;
}

/**
 * `$0.12`; small sums with all that is in them.
 *
 * @param {number | null} usd
 */
export function dollars(usd) {
  if (usd === null) return 'not known';
  if (usd === 0) return '$0';
  return `$${usd < 0.1 ? usd.toPrecision(2) : usd.toFixed(2)}`;
}

/**
 * `340 ms`, `1.2 s`, `4 min 10 s`, `3 h 2 min`.
 *
 * @param {number} ms
 */
export function duration(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

/**
 * `4.2/s`.
 *
 * @param {number} perSecond
 */
export function rate(perSecond) {
  return `${perSecond >= 10 ? grouped(perSecond) : perSecond.toFixed(1)}/s`;
}

/**
 * A point in time, in the reader's own zone.
 *
 * @param {number | string} at epoch milliseconds, or ISO 8601
 */
export function time(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  return h(
    'time',
    { datetime: date.toISOString(), title: clock.format(date) },
    (isToday ? timeOnly : clock).format(date),
  );
}
