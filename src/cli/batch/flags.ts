import { MAX_CONCURRENCY } from '../../core/batch-contract.ts';
import { UsageError } from '../exit-codes.ts';
import type { BudgetFlags, SettingFlags } from '../read-settings.ts';

/** The options of the commands that look at a batch or change it. */
export interface BatchFlags {
  readonly json?: true;
}

/** The options of `batch run`, as they are typed. */
export interface BatchRunFlags extends SettingFlags, BudgetFlags, BatchFlags {
  readonly schema?: string;
  readonly id?: string;
  readonly concurrency?: string;
  /** False where it is `--no-learn`. */
  readonly learn?: boolean;
  readonly detach?: true;
  readonly skipBadLines?: true;
  readonly textColumn?: string;
  readonly idColumn?: string;
}

/** `--concurrency N`. @throws {UsageError} */
export function readConcurrency(given: string): number {
  if (/^[1-9]\d{0,5}$/.test(given) && Number(given) <= MAX_CONCURRENCY) return Number(given);
  throw new UsageError(
    `--concurrency: expected a whole number from 1 to ${MAX_CONCURRENCY}, got '${given}'. Leave it out for 50.`,
  );
}
