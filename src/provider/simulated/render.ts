import type { Json } from '../../core/json.ts';
import { draw } from './draw.ts';
import type { RepairableFault } from './faults.ts';

/** Writes an answer with one mistake of syntax that can be repaired without asking again. */
export function renderWithFault(
  data: Json,
  fault: RepairableFault,
  ...seed: readonly (string | number)[]
): string {
  switch (fault) {
    case 'json_fenced':
      return draw('fence', ...seed) < 0.5
        ? `\`\`\`json\n${pretty(data)}\n\`\`\``
        : `\`\`\`\n${pretty(data)}\n\`\`\``;
    case 'json_prose':
      return `Here is the data I found in the document:\n\n${pretty(data)}\n\nLet me know if anything else is needed.`;
    case 'json_trailing_commas':
      return write(data, { trailingCommas: true });
    case 'json_single_quotes':
      return write(data, { quote: "'" });
    case 'json_unquoted_keys':
      return write(data, { bareKeys: true });
    case 'json_python_literals':
      return write(data, { quote: "'", python: true });
    case 'json_comments':
      return write(data, { comments: true });
    default:
      return fault satisfies never;
  }
}

/** Writes what was found as notes, with no JSON in it to repair. */
export function renderAsNotes(data: Json): string {
  return `What the document says:\n\n${notes(data, '')}`;
}

function notes(value: Json, indent: string): string {
  if (value === null || typeof value !== 'object') return String(value);
  const entries = Array.isArray(value)
    ? (value as readonly Json[]).map((item) => ['*', item] as const)
    : Object.entries(value);
  return entries
    .map(([key, item]) => {
      const nested = item !== null && typeof item === 'object';
      return `${indent}${key === '*' ? '*' : `**${key}** =`}${nested ? `\n${notes(item, `${indent}  `)}` : ` ${String(item)}`}`;
    })
    .join('\n');
}

function pretty(data: Json): string {
  return JSON.stringify(data, null, 2);
}

interface Dialect {
  readonly quote?: "'" | '"';
  readonly trailingCommas?: boolean;
  readonly bareKeys?: boolean;
  readonly python?: boolean;
  readonly comments?: boolean;
}

function write(value: Json, dialect: Dialect, indent = ''): string {
  if (value === null || typeof value === 'boolean') return literal(value, dialect);
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return quoted(value, dialect);
  const deeper = `${indent}  `;
  const isList = Array.isArray(value);
  const entries = isList
    ? (value as readonly Json[]).map((item) => write(item, dialect, deeper))
    : Object.entries(value).map(
        ([key, item]) => `${writeKey(key, dialect)}: ${write(item, dialect, deeper)}`,
      );
  const [open, close] = isList ? '[]' : '{}';
  if (entries.length === 0) return `${open}${close}`;
  const note = dialect.comments === true && indent === '' ? `\n${deeper}// as stated in the document` : '';
  const end = dialect.trailingCommas === true ? ',' : '';
  return `${open}${note}\n${deeper}${entries.join(`,\n${deeper}`)}${end}\n${indent}${close}`;
}

function literal(value: boolean | null, { python }: Dialect): string {
  if (python !== true) return String(value);
  if (value === null) return 'None';
  return value ? 'True' : 'False';
}

function quoted(text: string, { quote = '"', python }: Dialect): string {
  const json = JSON.stringify(text);
  if (quote === '"' || (python === true && text.includes("'"))) return json;
  return `'${json
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
    .replaceAll("'", String.raw`\'`)}'`;
}

function writeKey(key: string, dialect: Dialect): string {
  return dialect.bareKeys === true && /^[A-Za-z_]\w*$/.test(key) ? key : quoted(key, dialect);
}
