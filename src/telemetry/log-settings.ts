import { InvalidInputError } from '../client/invalid-input-error.ts';
import type { Environment } from '../stack/progress.ts';

const FORMS = ['text', 'json'] as const;
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'] as const;

/** How a worker writes its log. */
export interface LogSettings {
  readonly form: (typeof FORMS)[number];
  readonly level: (typeof LEVELS)[number];
}

/** `DURABLE_EXTRACT_LOG` (`text` or `json`) and `DURABLE_EXTRACT_LOG_LEVEL`. @throws {InvalidInputError} */
export function readLogSettings(env: Environment): LogSettings {
  return {
    form: choice('DURABLE_EXTRACT_LOG', FORMS, env['DURABLE_EXTRACT_LOG']?.toLowerCase() || 'text'),
    level: choice(
      'DURABLE_EXTRACT_LOG_LEVEL',
      LEVELS,
      env['DURABLE_EXTRACT_LOG_LEVEL']?.toUpperCase() || 'WARN',
    ),
  };
}

function choice<T extends string>(variable: string, known: readonly T[], given: string): T {
  const found = known.find((name) => name === given);
  if (found !== undefined) return found;
  throw new InvalidInputError(
    `${variable}: expected ${known.join(', ')}, got '${given}'. Unset it for the default.`,
  );
}
