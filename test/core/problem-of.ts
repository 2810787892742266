import { parseAnswer } from '../../src/core/parse-answer.ts';
import type { Problem } from '../../src/core/contract.ts';

/** The problem of a text that must not be readable. */
export function problemOf(text: string, cutOff = false): Problem {
  const parsed = parseAnswer(text, { cutOff });
  if (parsed.status !== 'failed-parse')
    throw new Error(`${text} was read as ${JSON.stringify(parsed.value)}`);
  return parsed.problem;
}
