import { InvalidInputError } from '../client/invalid-input-error.ts';
import type { Environment } from '../stack/progress.ts';

const SWITCHES = ['on', 'off'] as const;

/**
 * `DURABLE_EXTRACT_GATE`: `off` switches the gates off, so that every call is made as soon as it can be. Default `on`.
 *
 * @throws {InvalidInputError}
 */
export function readGateSwitch(env: Environment): (typeof SWITCHES)[number] {
  const given = env['DURABLE_EXTRACT_GATE'] || 'on';
  const known = SWITCHES.find((name) => name === given);
  if (known !== undefined) return known;
  throw new InvalidInputError(
    `DURABLE_EXTRACT_GATE: expected ${SWITCHES.join(' or ')}, got '${given}'. Unset it to have the gates on.`,
  );
}
