import { isJsonObject, type JsonObject } from '../../core/json.ts';

/** A JSON Schema found in a text, and where it stands. */
export interface PromptSchema {
  readonly schema: JsonObject;
  readonly start: number;
  readonly end: number;
}

const MOST_BRACES_TRIED = 40;

/** Finds the first JSON object in a text that reads as a JSON Schema. */
export function findPromptSchema(text: string): PromptSchema | null {
  let start = text.indexOf('{');
  for (let tried = 0; start !== -1 && tried < MOST_BRACES_TRIED; tried++) {
    const end = endOfObject(text, start);
    const parsed = end === -1 ? null : parseObject(text.slice(start, end));
    if (parsed !== null) {
      const schema = schemaIn(parsed);
      if (schema !== null) return { schema, start, end };
    }
    start = text.indexOf('{', parsed === null ? start + 1 : end);
  }
  return null;
}

function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null; // not JSON: the search goes on
  }
}

const KEYWORDS = ['properties', '$ref', 'anyOf', 'oneOf', 'allOf', 'items', 'enum', '$schema'];
const TYPES: ReadonlySet<unknown> = new Set([
  'object',
  'array',
  'string',
  'number',
  'integer',
  'boolean',
  'null',
]);

/** The schema an object is, or wraps (`{"name": "order", "schema": {…}}`). */
function schemaIn(value: JsonObject): JsonObject | null {
  if (TYPES.has(value['type']) || KEYWORDS.some((keyword) => isSchemaKeyword(value, keyword))) return value;
  for (const key of ['schema', 'jsonSchema', 'json_schema', 'parameters']) {
    const inner = value[key];
    if (isJsonObject(inner)) return schemaIn(inner);
  }
  return null;
}

function isSchemaKeyword(value: JsonObject, keyword: string): boolean {
  const member = value[keyword];
  return keyword === 'properties' || keyword === 'items' ? isJsonObject(member) : member !== undefined;
}

/** The place after the brace that closes the one at `start`, strings respected; -1 where none does. */
function endOfObject(text: string, start: number): number {
  let depth = 0;
  let inString = false;
  for (let index = start; index < text.length; index++) {
    const code = text[index];
    if (inString) {
      if (code === '\\') index++;
      else if (code === '"') inString = false;
    } else if (code === '"') inString = true;
    else if (code === '{') depth++;
    else if (code === '}' && --depth === 0) return index + 1;
  }
  return -1;
}
