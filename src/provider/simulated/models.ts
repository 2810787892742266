import { FAULT_KINDS, FAULTY_RATES, isProviderFault, type FaultKind, type FaultRates } from './faults.ts';
import type { ProviderFault } from './faults.ts';

/** The model asked where nobody names one: no faults. */
export const CLEAN_MODEL = 'clean';
/** The model with the mixed, realistic faults of {@link FAULTY_RATES}. */
export const FAULTY_MODEL = 'faulty';

/** What a model's name says about how it fails. */
export interface FaultProfile {
  /** Drawn by document and by call. */
  readonly rates: FaultRates;
  /** A provider fault that strikes the first calls of each document, or with `always` every call. */
  readonly first?: { readonly kind: ProviderFault; readonly always: boolean };
  /** From `@SEED`; null where the server's own applies. */
  readonly seed: number | null;
}

const KINDS: readonly string[] = FAULT_KINDS;
const NO_FAULTS: FaultRates = {};

/** The names `GET /v1/models` lists. Each takes an `@SEED`, and the failing ones a `!` for "always". */
export const MODEL_NAMES: readonly string[] = [
  CLEAN_MODEL,
  FAULTY_MODEL,
  ...FAULT_KINDS.map((kind) => `fault-${kind}`),
];

/**
 * Reads a model's name: `clean`, `faulty`, `fault-<kind>` (each document's first answer has this fault,
 * or its first calls fail so), `fault-<kind>!` (always, whatever the feedback), each with an optional
 * `@SEED`. Null where there is no such model.
 */
export function faultProfileOf(model: string): FaultProfile | null {
  const match = /^([a-z_-]+)(!?)(?:@(\d{1,15}))?$/.exec(model);
  if (match === null) return null;
  const [, name = '', bang, seedText] = match;
  const seed = seedText === undefined ? null : Number(seedText);
  if (bang === '' && name === CLEAN_MODEL) return { rates: NO_FAULTS, seed };
  if (bang === '' && name === FAULTY_MODEL) return { rates: FAULTY_RATES, seed };
  const kind = name.startsWith('fault-') ? name.slice('fault-'.length) : '';
  if (!KINDS.includes(kind)) return null;
  return singleFault(kind as FaultKind, bang === '!', seed);
}

function singleFault(kind: FaultKind, always: boolean, seed: number | null): FaultProfile {
  if (isProviderFault(kind)) return { rates: NO_FAULTS, first: { kind, always }, seed };
  return { rates: { [kind]: 1, stubborn: always ? Number.POSITIVE_INFINITY : 0 }, seed };
}
