import { InvalidInputError } from '../client/invalid-input-error.ts';
import type { Environment } from '../stack/progress.ts';

/** Requests a minute, by provider. */
export type Rpm = ReadonlyMap<string, { readonly rpm: number }>;

/** `DURABLE_EXTRACT_RPM`: `openai=500,simulated=60`. @throws {InvalidInputError} also for a provider that is not among these. */
export function readRpm(env: Environment, providers: readonly string[]): Rpm {
  const given = env['DURABLE_EXTRACT_RPM'];
  return new Map(
    (given ? given.split(',') : []).map((part) => {
      const [, name = '', rpm] = /^\s*([\w-]+)=(\d+(?:\.\d+)?)\s*$/.exec(part) ?? [];
      if (providers.includes(name) && Number(rpm) > 0) return [name, { rpm: Number(rpm) }];
      throw new InvalidInputError(
        `DURABLE_EXTRACT_RPM: expected requests a minute by provider (${providers[0]}=500), got '${given}'. ` +
          `The providers are ${providers.join(', ')}; several are parted by commas.`,
      );
    }),
  );
}
