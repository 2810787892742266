/**
 * Regular expressions from outside, matched in time linear in the text: a schema comes from a caller, the text from a
 * model, and together they must not stop a worker (`(a+)+$`).
 */
import { RE2JS } from 're2js';

/** What Ajv asks of a regular expression. */
export interface LinearPattern {
  readonly engine: 're2' | 'native';
  test(text: string): boolean;
  /** Ajv tells patterns apart by this. */
  toString(): string;
}

/**
 * Patterns that zod writes beside a `format` and that RE2 has no words for. Their lookaheads are anchored and their
 * repetitions do not overlap, so that the native engine takes linear time for them.
 */
const KNOWN_PATTERNS: ReadonlySet<string> = new Set([
  // hostname
  '^(?=.{1,253}\\.?$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[-0-9a-zA-Z]{0,61}[0-9a-zA-Z])?)*\\.?$',
  // duration
  '^P(?:(\\d+W)|(?!.*W)(?=\\d|T\\d)(\\d+Y)?(\\d+M)?(\\d+D)?(T(?=\\d)(\\d+H)?(\\d+M)?(\\d+([.,]\\d+)?S)?)?)$',
  // email, before zod 4.6
  "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$",
]);

/**
 * Compiles a pattern of JSON Schema (ECMA-262 syntax).
 *
 * @throws where RE2 cannot express it: lookaround, backreferences, repetition beyond 1000.
 */
export function linearPattern(pattern: string): LinearPattern {
  if (KNOWN_PATTERNS.has(pattern)) {
    const native = new RegExp(pattern, 'u');
    return { engine: 'native', test: (text) => native.test(text), toString: () => pattern };
  }
  const re2 = RE2JS.compile(RE2JS.translateRegExp(pattern));
  return { engine: 're2', test: (text) => re2.test(text), toString: () => pattern };
}
