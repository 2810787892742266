import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import type { z } from 'zod';
import type { SchemaOption } from '../client/durable-extract.ts';
import { InvalidInputError } from '../client/invalid-input-error.ts';
import { InvalidSchemaError, compileSchema } from '../core/compile-schema.ts';
import type { JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import { shortenText } from '../core/shorten-json.ts';
import { codeOf, messageOf } from '../stack/error-facts.ts';
import { UsageError } from './exit-codes.ts';

/** A schema a command line can name: registered, or read from a file. */
export type NamedSchema = Exclude<SchemaOption, z.ZodType>;

/**
 * `--schema NAME|FILE`: a file where it looks like one (ends in `.json`, or has a slash), else a registered name, which
 * only the worker knows.
 *
 * @throws {UsageError} where the file cannot be read, is no JSON object, or no valid JSON Schema.
 */
export function readSchema(command: string, given: string | undefined): NamedSchema {
  if (!given) {
    throw new UsageError(
      `${command}: expected --schema NAME|FILE, got none. Name a schema that the worker has registered (such as user), ` +
        'or give the path of a JSON Schema file (./invoice.json).',
    );
  }
  const looksLikeFile = extname(given) === '.json' || /[/\\]/.test(given);
  if (!looksLikeFile) return given;
  return readAs('--schema', given, () => readFile(given));
}

/**
 * A schema file that is given as an argument, whatever it is called.
 *
 * @throws {UsageError} where it cannot be read, is no JSON object, or no valid JSON Schema.
 */
export function readSchemaFile(command: string, path: string): NamedFileSchema {
  return readAs(`${command}:`, path, () => readArgument(command, path));
}

/** A schema with its content. */
export interface NamedFileSchema {
  readonly name: string;
  readonly jsonSchema: JsonObject;
}

/** @param what names, in messages, where the path was given. */
function readAs(what: string, path: string, read: () => string): NamedFileSchema {
  const jsonSchema = parse(what, path, read());
  try {
    // Its own copy, so that it is compiled once.
    const { jsonSchema: compiled } = compileSchema(jsonSchema);
    return { name: basename(path, '.json').replace(/\.schema$/, ''), jsonSchema: compiled };
  } catch (error) {
    if (!(error instanceof InvalidSchemaError)) throw error;
    throw new UsageError(
      `${what} ${path}: expected a valid JSON Schema (2020-12), got: ${error.message}\nCorrect it there; no model was called.`,
    );
  }
}

function readArgument(command: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'no such file' : messageOf(error);
    throw new UsageError(
      `${command}: expected a JSON Schema file, got '${path}': ${why}. Give the path of one: ./invoice.json.`,
    );
  }
}

function parse(what: string, path: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${what} ${path}: expected JSON, got: ${messageOf(error)}. Correct it there.`);
  }
  if (isJsonObject(value)) return value;
  throw new UsageError(
    `${what} ${path}: expected a JSON Schema, which is an object, got ${shortenText(text.trim())}. Correct it there.`,
  );
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'no such file' : messageOf(error);
    throw new UsageError(
      `--schema: expected a registered name or a JSON Schema file, got '${path}': ${why}. ` +
        'Correct the path; a registered name has no slash and no .json.',
    );
  }
}

/**
 * What to do about a name that no worker knows, where that is what is wrong.
 *
 * The worker alone knows the registered names, and cannot know that the caller has files. */
export function adviceOnSchemaName(error: unknown, schema: NamedSchema): unknown {
  if (!(error instanceof InvalidInputError) || typeof schema !== 'string') return error;
  if (!error.message.startsWith('schema.name:')) return error;
  return new UsageError(
    `--schema: ${error.message.slice('schema.name:'.length).trim()}\nA JSON Schema file is named by its path: --schema ./${schema}.json`,
    { cause: error },
  );
}
