import type { GateStatus } from '../../core/gate-contract.ts';

/** A gate in a line: `openai  open since 14:02:11 (38 s), 0.13 calls/s: 11 calls in a row failed`. */
export function gateLine(gate: GateStatus, now: number): string {
  const { provider, state, since, until, callsPerSecond, reason } = gate;
  const rate = callsPerSecond === null ? 'no limit' : rateOf(callsPerSecond);
  const end = until === null ? '' : `, until ${clock(until)}`;
  return `${provider}  ${state} since ${clock(since)} (${spanOf(now - since)})${end}, ${rate}: ${reason}`;
}

function rateOf(callsPerSecond: number): string {
  if (callsPerSecond < 0.01) return 'no calls';
  return `${callsPerSecond >= 10 ? callsPerSecond.toFixed(0) : callsPerSecond.toPrecision(2)} calls/s`;
}

function clock(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}

function spanOf(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
