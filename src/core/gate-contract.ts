/** What a provider's gate is told and tells. */
import type { ProviderFailureType } from './contract.ts';
import type { GateConfig } from './gate-config.ts';

/** The workflow id of a provider's gate: `gate/<provider>`. */
export function gateWorkflowId(provider: string): string {
  return `gate/${provider}`;
}

/**
 * - `closed`: calls flow (as in a circuit).
 * - `throttled`: until a time that the provider told, or at the rate that was found to work.
 * - `open`: too much failed; nothing but a trickle of probes.
 * - `half_open`: a probe was answered; a few calls decide.
 * - `parked`: no calls, until somebody resets it or until a set time.
 */
export const GATE_STATES = ['closed', 'throttled', 'open', 'half_open', 'parked'] as const;
export type GateStateName = (typeof GATE_STATES)[number];

/** Failures that speak of the provider's health. A 429 does not: it works, and wants less. */
export const HEALTH_FAILURES: readonly ProviderFailureType[] = [
  'server_error',
  'connection_error',
  'timeout',
];

/** Whether the provider refused the key, and with it every call; other client errors are of one request. */
export function isKeyRefused(status: number | undefined): boolean {
  return status === 401 || status === 403;
}

/** Whether conversations are to go elsewhere, or to wait. */
export function isShut(state: GateStateName): boolean {
  return state === 'open' || state === 'parked';
}

/** What one worker saw of a provider since its last report. */
export interface GateReport {
  readonly succeeded: number;
  /** Epoch milliseconds at which the latest of the answered calls began; null without any. */
  readonly answeredBegunAt: number | null;
  readonly failed: Partial<Readonly<Record<ProviderFailureType, number>>>;
  /** Whether the provider refused the key. */
  readonly isKeyRefused: boolean;
  /** Whether the provider's headers say that little of its limit is left. */
  readonly isNearlyUsedUp: boolean;
  /** Failures since this worker's last success, as far as they speak of the provider's health. */
  readonly failuresInARow: number;
  /** Whether the provider itself could not be reached when it was last asked, and no call was answered since. */
  readonly isUnreachable: boolean;
  /** Calls a second of this worker that were not turned away, of late. */
  readonly takenPerSecond: number;
  /** Epoch milliseconds before which the provider wants no call. */
  readonly notBefore: number | null;
  /** Of the answered calls. */
  readonly tokens: number;
  /** Requests and tokens a minute, where the provider's headers tell. */
  readonly limits: { readonly rpm?: number; readonly tpm?: number };
}

/** What the `gate` workflow takes; `carried` only from its own earlier run. */
export interface GateInput<Carried = unknown> {
  readonly provider: string;
  readonly config: GateConfig;
  readonly carried?: Carried;
}

/** What the signal `report` brings: the newest worker's configuration counts. */
export interface GateSignal {
  readonly config: GateConfig;
  readonly report: GateReport;
}

/** An operator's hand. */
export interface TripInput {
  /** Why, for those who come after. */
  readonly reason: string;
  /** For how long; without it, until somebody resets the gate. */
  readonly forMs?: number;
}

/** An operator's other hand. */
export interface ResetInput {
  readonly reason: string;
}

/** A gate as people and programs see it. */
export interface GateStatus {
  readonly provider: string;
  readonly state: GateStateName;
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly since: number;
  /** Epoch milliseconds at which it does something by itself; null where nothing is planned. */
  readonly until: number | null;
  /** Calls a second that the server hands out, for all workers together; null without a limit. */
  readonly callsPerSecond: number | null;
}
