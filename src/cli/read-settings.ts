import { ON_OUTAGE, STRATEGIES, TRANSCRIPTS } from '../core/contract.ts';
import type { Budget, OnOutage, StrategyName, Transcript } from '../core/contract.ts';
import { ON_EXHAUSTED } from '../core/correction.ts';
import type { OnExhausted } from '../core/correction.ts';
import { UsageError } from './exit-codes.ts';
import { readDuration } from './read-duration.ts';

/** Options that `extract` and `batch run` share, as they are typed. */
export interface SettingFlags {
  readonly model?: string;
  readonly strategy?: string;
  readonly maxAttempts?: string;
  readonly onOutage?: string;
  /** Separated by commas. */
  readonly models?: string;
  readonly transcript?: string;
  readonly onExhausted?: string;
  readonly reviewDeadline?: string;
}

/** What may be spent, as it is typed. */
export interface BudgetFlags {
  readonly maxTokens?: string;
  readonly maxCostUsd?: string;
}

/** The contract's own limit. */
const MAX_ATTEMPTS = 100;
/** Temporal takes 1000 characters; the prefix takes some. */
const MAX_ID_CHARS = 900;

/** What may be spent; undefined where nobody says. @throws {UsageError} */
export function readBudget({ maxTokens, maxCostUsd }: BudgetFlags): Budget | undefined {
  if (maxTokens === undefined && maxCostUsd === undefined) return undefined;
  return {
    ...(maxTokens === undefined ? {} : { maxTokens: readTokens(maxTokens) }),
    ...(maxCostUsd === undefined ? {} : { maxCostUsd: readDollars(maxCostUsd) }),
  };
}

/** How documents are extracted, as the options of `extract` and of `batch run` say. @throws {UsageError} */
export function readSettings(flags: SettingFlags) {
  const { model, strategy, maxAttempts, onOutage, models, transcript } = flags;
  const { onExhausted, reviewDeadline } = flags;
  return {
    ...(model === undefined ? {} : { model: readNonEmpty('--model', model) }),
    ...(strategy === undefined ? {} : { strategy: readStrategy(strategy) }),
    ...(models === undefined ? {} : { models: readModels(models) }),
    ...(transcript === undefined ? {} : { transcript: readTranscript(transcript) }),
    ...(onExhausted === undefined ? {} : { onExhausted: readOnExhausted(onExhausted) }),
    ...(reviewDeadline === undefined
      ? {}
      : { reviewDeadlineMs: readDuration('--review-deadline', reviewDeadline) }),
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

function readOnExhausted(given: string): OnExhausted {
  const known = ON_EXHAUSTED.find((name) => name === given);
  if (known !== undefined) return known;
  throw new UsageError(
    `--on-exhausted: expected ${ON_EXHAUSTED.join(' or ')}, got '${given}'. 'review' waits for a person to enter the data.`,
  );
}

/** As many as the contract takes. */
const MOST_MODELS = 10;

function readModels(given: string): readonly string[] {
  const models = given.split(',').map((name) => name.trim());
  if (models.length <= MOST_MODELS && models.every((name) => name !== '')) return models;
  throw new UsageError(
    `--models: expected 1 to ${MOST_MODELS} models, separated by commas, got '${given}'. Name each as for --model.`,
  );
}

function readTranscript(given: string): Transcript {
  const known = TRANSCRIPTS.find((name) => name === given);
  if (known !== undefined) return known;
  throw new UsageError(
    `--transcript: expected ${TRANSCRIPTS.join(' or ')}, got '${given}'. 'last' shows the model its last bad answer; 'full' all of them.`,
  );
}

function readTokens(given: string): number {
  if (/^[1-9]\d{0,14}$/.test(given)) return Number(given);
  throw new UsageError(
    `--max-tokens: expected a whole number from 1, got '${given}'. Leave it out for no cap.`,
  );
}

function readDollars(given: string): number {
  if (/^(?:\d+\.?\d*|\.\d+)$/.test(given) && Number(given) > 0) return Number(given);
  throw new UsageError(
    `--max-cost-usd: expected a number of US dollars above 0, as 2.50, got '${given}'. Leave it out for no cap.`,
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
