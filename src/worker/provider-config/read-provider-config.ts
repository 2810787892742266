import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidInputError } from '../../client/invalid-input-error.ts';
import type { Json } from '../../core/json.ts';
import { locateSyntaxError } from '../../core/locate-syntax-error.ts';
import { codeOf, messageOf } from '../../stack/error-facts.ts';
import type { Environment } from '../../stack/progress.ts';
import { contentProblems, shapeProblems } from './problems.ts';
import { configShape } from './shape.ts';
import type { ConfiguredProvider } from './shape.ts';

/** Names the file. Without it, {@link DEFAULT_CONFIG_FILE} is read where there is one. */
export const CONFIG_VARIABLE = 'DURABLE_EXTRACT_CONFIG';
/** In the working folder. */
export const DEFAULT_CONFIG_FILE = 'durable-extract.config.json';

/** A configuration file that was found, and is right. It holds no keys. */
export interface ProviderConfig {
  /** As it was named. */
  readonly path: string;
  /** At least one; the first is the default. */
  readonly providers: readonly [ConfiguredProvider, ...ConfiguredProvider[]];
}

/**
 * The providers that the configuration file describes: the one that `DURABLE_EXTRACT_CONFIG` names, or
 * `durable-extract.config.json` in the working folder; undefined where neither is there. Keys are not looked at.
 *
 * @throws {InvalidInputError} for a named file that is not there, and for all that is wrong in a file, at once.
 */
export function readProviderConfig(options: {
  readonly env: Environment;
  /** Default: this process's working folder. */
  readonly cwd?: string;
}): ProviderConfig | undefined {
  const named = options.env[CONFIG_VARIABLE];
  const path = named || DEFAULT_CONFIG_FILE;
  const text = readText(resolve(options.cwd ?? process.cwd(), path), path, { isNamed: Boolean(named) });
  if (text === undefined) return undefined;
  const file = parseJson(path, text);
  const parsed = configShape.safeParse(file);
  if (!parsed.success) throw badFile(path, shapeProblems(parsed.error.issues, file));
  const { providers } = parsed.data;
  const problems = contentProblems(providers);
  if (problems.length > 0) throw badFile(path, problems);
  return { path, providers };
}

function readText(absolute: string, path: string, { isNamed }: { readonly isNamed: boolean }) {
  try {
    return readFileSync(absolute, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const isMissing = codeOf(error) === 'ENOENT';
    if (isMissing && !isNamed) return undefined;
    const why = isMissing ? 'no such file' : messageOf(error);
    throw new InvalidInputError(
      isNamed
        ? `${CONFIG_VARIABLE}: expected the path of a configuration file, got '${path}': ${why}. Correct it or unset it.`
        : `${path}: expected a configuration file that can be read, got: ${why}. Correct it, or take it away.`,
    );
  }
}

/** Without the engine's own message, which quotes the text: there may be a key in it. */
function parseJson(path: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    const { offset = 0, message = 'not JSON' } = locateSyntaxError(text) ?? {};
    const lines = text.slice(0, offset).split('\n');
    throw new InvalidInputError(
      `${path}, line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}: expected JSON, got: ${message}. ` +
        'Correct it there; comments and trailing commas are not JSON.',
    );
  }
}

function badFile(path: string, problems: readonly string[]): InvalidInputError {
  return new InvalidInputError(
    `${path} is not as expected:\n${problems.map((problem) => `  ${problem}\n`).join('')}` +
      "Correct it there; 'Providers' in docs/operators.md tells what each field holds.",
  );
}
