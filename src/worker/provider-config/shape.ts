/** The shape of the configuration file of providers. Messages here are what was expected; the rest is said around them. */
import { z } from 'zod';
import type { GateConfig } from '../../core/gate-config.ts';

const PROVIDER_NAME = /^[a-z0-9-]+$/;
/** It would be taken for the provider that is only simulated. */
const RESERVED_NAME = 'simulated';
/** In upper case only: what else fits a variable's name may well be the key itself, which a message must not repeat. */
const VARIABLE_NAME = /^[A-Z_][A-Z0-9_]*$/;

const percentage = number('a percentage above 0, up to 100', (value) => value > 0 && value <= 100);
const positive = number('a number above 0', (value) => value > 0);
const count = number('a whole number from 1', (value) => Number.isSafeInteger(value) && value >= 1);
const factor = number('a number from 1', (value) => value >= 1);
const dollars = number('US dollars, 0 or more', (value) => value >= 0);

const providerName = text(
  `a name of a-z, 0-9 and hyphens that is not '${RESERVED_NAME}'`,
  (name) => PROVIDER_NAME.test(name) && name !== RESERVED_NAME,
);
const address = text('an http or https address without user, password and query', isPlainAddress);
const variable = text('the name of an environment variable in upper case, such as OPENAI_API_KEY', (name) =>
  VARIABLE_NAME.test(name),
);
const model = text("a model's name", isWord);
const fallback = text('provider or provider/model', (written) => isWord(written) && !/^\/|\/$/.test(written));

const price = fields('what a model costs', {
  promptUsdPerMillion: dollars,
  completionUsdPerMillion: dollars,
});

const gate = fields("the gate's settings", {
  failureRateThreshold: percentage.exactOptional(),
  slidingWindowSize: count.exactOptional(),
  minimumNumberOfCalls: count.exactOptional(),
  consecutiveFailures: count.exactOptional(),
  waitDurationInOpenStateMs: positive.exactOptional(),
  waitDurationMultiplier: factor.exactOptional(),
  maxWaitDurationInOpenStateMs: positive.exactOptional(),
  permittedNumberOfCallsInHalfOpenState: count.exactOptional(),
  maxWaitDurationInHalfOpenStateMs: positive.exactOptional(),
} satisfies Record<keyof Omit<GateConfig, 'rpm' | 'tpm'>, z.ZodType>);

const provider = fields('a provider', {
  name: providerName,
  baseUrl: address.exactOptional(),
  keyVariable: variable,
  models: z.tuple([model], model, "a list of at least one model's name, the default first"),
  rpm: positive.exactOptional(),
  tpm: positive.exactOptional(),
  prices: z.record(z.string(), price, 'prices by model, in an object').exactOptional(),
  outputTokenLimits: z.record(z.string(), count, 'tokens by model, in an object').exactOptional(),
  fallbacks: z.array(fallback, 'a list of fallbacks, each provider or provider/model').exactOptional(),
  gate: gate.exactOptional(),
});

/** The whole file. */
export const configShape = fields('the configuration', {
  providers: z.tuple([provider], provider, 'a list of at least one provider, the default first'),
});

/** One provider, as the file describes it. */
export type ConfiguredProvider = z.output<typeof provider>;

/** An object with these fields and no others: a misspelt one must not be passed over in silence. */
function fields<T extends z.core.$ZodShape>(what: string, shape: T) {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === 'unrecognized_keys' ? `no field but ${known}` : `${what}, as an object of ${known}`,
  });
}

function text(expected: string, isGood: (value: string) => boolean) {
  return z.string(expected).refine(isGood, expected);
}

function number(expected: string, isGood: (value: number) => boolean) {
  return z.number(expected).refine(isGood, expected);
}

function isWord(value: string): boolean {
  return value !== '' && !/\s/.test(value);
}

/** Paths are added to it, and nothing in it may be secret. */
function isPlainAddress(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && !/[@?#]/.test(value);
}
