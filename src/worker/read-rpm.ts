import { InvalidInputError } from '../client/invalid-input-error.ts';
import type { Environment } from '../stack/progress.ts';

const PROVIDERS = ['openai', 'simulated'] as const;

/** Requests a minute, by provider. */
export type Rpm = Partial<Record<(typeof PROVIDERS)[number], { readonly rpm: number }>>;

/** `DURABLE_EXTRACT_RPM`: `openai=500,simulated=60`. @throws {InvalidInputError} */
export function readRpm(env: Environment): Rpm {
  const given = env['DURABLE_EXTRACT_RPM'];
  const limits: Rpm = {};
  for (const part of given ? given.split(',') : []) {
    const [, name, rpm] = /^\s*(\w+)=(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
    const provider = PROVIDERS.find((known) => known === name);
    if (provider === undefined || !(Number(rpm) > 0)) {
      throw new InvalidInputError(
        `DURABLE_EXTRACT_RPM: expected requests a minute by provider (openai=500), got '${given}'. ` +
          `The providers are ${PROVIDERS.join(' and ')}; several are parted by commas.`,
      );
    }
    limits[provider] = { rpm: Number(rpm) };
  }
  return limits;
}
