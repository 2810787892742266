import { ON_OUTAGE, STRATEGIES } from '../core/contract.ts';
import type { OnOutage, StrategyName } from '../core/contract.ts';
import { UsageError } from './exit-codes.ts';

/** Options that `extract` and `batch run` share, as they are typed. */
export interface SettingFlags {
  readonly model?: string;
  readonly strategy?: string;
  readonly maxAttempts?: string;
  readonly onOutage?: string;
}

/** The contract's own limit. */
const MAX_ATTEMPTS = 100;
/** Temporal takes 1000 characters; the prefix takes some. */
const MAX_ID_CHARS = 900;

/** How documents are extracted, as the options of `extract` and of `batch run` say. @throws {UsageError} */
export function readSettings({ model, strategy, maxAttempts, onOutage }: SettingFlags) {
  return {
    ...(model === undefined ? {} : { model: readNonEmpty('--model', model) }),
    ...(strategy === undefined ? {} : { strategy: readStrategy(strategy) }),
    ...(onOutage === undefined ? {} : { onOutage: readOnOutage(onOutage) }),
    ...(maxAttempts === undefined ? {} : { retry: { maxAttempts: readAttempts(maxAttempts) } }),
  };
}

/** An option that may not be empty. @throws {UsageError} */
export function readNonEmpty(flag: string, given: string): string {
  if (given.trim() !== '' && given.length <= MAX_ID_CHARS) return given;
  const got = given.trim() === '' ? 'an empty one' : `${given.length} characters`;
  throw new UsageError(
    `${flag}: expected a name of 1 to ${MAX_ID_CHARS} characters, got ${got}. Give one, or leave ${flag} out.`,
  );
}

function readOnOutage(given: string): OnOutage {
  const known = ON_OUTAGE.find((name) => name === given);
  if (known !== undefined) return known;
  throw new UsageError(
    `--on-outage: expected ${ON_OUTAGE.join(' or ')}, got '${given}'. 'wait' waits until the provider is back; 'fail' gives up at once.`,
  );
}

function readStrategy(given: string): StrategyName {
  const strategy = STRATEGIES.find((name) => name === given);
  if (strategy !== undefined) return strategy;
  throw new UsageError(
    `--strategy: expected one of ${STRATEGIES.join(', ')}, got '${given}'. Use one of them.`,
  );
}

function readAttempts(given: string): number {
  if (/^[1-9]\d{0,2}$/.test(given) && Number(given) <= MAX_ATTEMPTS) return Number(given);
  throw new UsageError(
    `--max-attempts: expected a whole number from 1 to ${MAX_ATTEMPTS}, got '${given}'. Leave it out for 3.`,
  );
}
