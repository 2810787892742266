import type { FaultRates } from './faults.ts';

const REJECTED_MODES = ['json_object', 'json_schema', 'tool'] as const;
/** A way to hold the model to JSON that a server may not have. */
export type RejectedMode = (typeof REJECTED_MODES)[number];

/** How a simulated provider behaves. Everything has a default. */
export interface SimulatedProviderOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** What faults are drawn from. Default 1. A model's `@SEED` goes before it. */
  readonly seed?: number;
  /** Replaces the fault profile of every model. */
  readonly faults?: FaultRates;
  /** How long an answer takes, or between what it is drawn. Default 0. Errors are sent at once. */
  readonly latencyMs?: number | { readonly min: number; readonly max: number };
  /** How much longer a `slow` answer takes. Default 2000. */
  readonly slowMs?: number;
  /** What `Retry-After` says in injected 429 and 503. Default 1. */
  readonly retryAfterSeconds?: number;
  /** How many calls of each document a model `fault-<provider fault>` fails. Default 2. */
  readonly failuresPerDocument?: number;
  /** Requests allowed a minute; more are answered with 429. Default: no limit. */
  readonly rpm?: number;
  /** Requests allowed at once under `rpm`. Default: one second's worth. */
  readonly burst?: number;
  /** Whether `rpm` is kept to oneself: no header tells of it, and its 429s say nothing of when to return. Default false. */
  readonly hidesLimits?: boolean;
  /** Whether a strict schema rules out mistakes of syntax and shape, as with OpenAI's own models. Default false: many compatible servers ignore `strict`. */
  readonly honoursStrict?: boolean;
  /** Tokens of an answer for which no cap is asked; longer ones are cut, with `finish_reason: "length"`. Default: `mostOutputTokens`. */
  readonly defaultOutputTokens?: number;
  /** Tokens of the longest answer: higher caps are refused with 400, as OpenAI does. Default: no limit. */
  readonly mostOutputTokens?: number;
  /** Ways to hold the model to JSON that are refused with 400, as by servers that do not have them. Default: none. */
  readonly rejectedModes?: readonly RejectedMode[];
  /** Where each call is appended as a line of JSON. */
  readonly logFile?: string;
  /** How many calls are kept in memory. Default 20000. */
  readonly mostLogged?: number;
}

/** The options with their defaults, and bad ones refused. */
export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly seed: number;
  readonly latency: { readonly min: number; readonly max: number };
  readonly slowMs: number;
  readonly retryAfterSeconds: number;
  readonly failuresPerDocument: number;
  readonly rpm: number | null;
  readonly burst: number;
  readonly hidesLimits: boolean;
  readonly honoursStrict: boolean;
  readonly defaultOutputTokens: number | null;
  readonly mostOutputTokens: number | null;
  readonly rejectedModes: readonly RejectedMode[];
  readonly logFile: string | null;
  readonly mostLogged: number;
}

/** @throws RangeError naming the option that is wrong. */
export function settingsOf(options: SimulatedProviderOptions): Settings {
  const { latencyMs = 0, rpm = null } = options;
  const latency = typeof latencyMs === 'number' ? { min: latencyMs, max: latencyMs } : latencyMs;
  const settings: Settings = {
    port: options.port ?? 0,
    host: options.host ?? '127.0.0.1',
    seed: options.seed ?? 1,
    latency,
    slowMs: options.slowMs ?? 2_000,
    retryAfterSeconds: options.retryAfterSeconds ?? 1,
    failuresPerDocument: options.failuresPerDocument ?? 2,
    rpm,
    burst: options.burst ?? Math.max(1, Math.ceil((rpm ?? 0) / 60)),
    hidesLimits: options.hidesLimits ?? false,
    honoursStrict: options.honoursStrict ?? false,
    defaultOutputTokens: options.defaultOutputTokens ?? null,
    mostOutputTokens: options.mostOutputTokens ?? null,
    rejectedModes: options.rejectedModes ?? [],
    logFile: options.logFile ?? null,
    mostLogged: options.mostLogged ?? 20_000,
  };
  demand(settings.latency.min >= 0 && settings.latency.max >= settings.latency.min, 'latencyMs', latencyMs);
  demand(rpm === null || rpm > 0, 'rpm', rpm);
  demand(settings.burst >= 1, 'burst', settings.burst);
  for (const option of ['defaultOutputTokens', 'mostOutputTokens'] as const) {
    const tokens = settings[option];
    demand(tokens === null || (Number.isInteger(tokens) && tokens >= 1), option, tokens);
  }
  const { rejectedModes } = settings;
  demand(
    rejectedModes.every((mode) => REJECTED_MODES.includes(mode)),
    'rejectedModes',
    rejectedModes,
  );
  demand(
    Number.isInteger(settings.port) && settings.port >= 0 && settings.port <= 65_535,
    'port',
    settings.port,
  );
  return settings;
}

function demand(isGood: boolean, option: string, value: unknown): void {
  if (!isGood)
    throw new RangeError(`simulated provider: option ${option} is out of range: ${JSON.stringify(value)}`);
}
