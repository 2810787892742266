/** By what workflows are found: the search attributes of the Temporal server. Names and types are part of the contract. */

/** A search attribute, with the type that it is registered as. */
export interface SearchAttribute {
  readonly name: string;
  readonly type: 'KEYWORD' | 'INT';
}

/**
 * Five keywords and two numbers: a server whose visibility is in SQL has room for ten and three in a namespace.
 *
 * - `schema`, `model`: by name; the model as `provider/model`, the one that was asked last.
 * - `batch`: the id, of a batch, its shards, and extractions of its documents.
 * - `outcome`: of what has ended: `success`, or why it gave up; of a batch `completed`, `cancelled`, or `paused` while it is.
 * - `attempts`: answers that were judged so far.
 * - `lastProblem`: the type of the last rejected answer or provider failure.
 * - `failed`: documents of a batch that were not extracted.
 */
export const SEARCH_ATTRIBUTES = {
  schema: { name: 'DurableExtractSchema', type: 'KEYWORD' },
  model: { name: 'DurableExtractModel', type: 'KEYWORD' },
  batch: { name: 'DurableExtractBatch', type: 'KEYWORD' },
  outcome: { name: 'DurableExtractOutcome', type: 'KEYWORD' },
  lastProblem: { name: 'DurableExtractLastProblem', type: 'KEYWORD' },
  attempts: { name: 'DurableExtractAttempts', type: 'INT' },
  failed: { name: 'DurableExtractFailed', type: 'INT' },
} as const satisfies Readonly<Record<string, SearchAttribute>>;

type Attributes = typeof SEARCH_ATTRIBUTES;
type ValueOf<K extends keyof Attributes> = Attributes[K]['type'] extends 'INT' ? number : string;

/** What a workflow says of itself. Undefined: nothing new. Null: not any more. */
export type SearchValues = { readonly [K in keyof Attributes]?: ValueOf<K> | null | undefined };

/** PostgreSQL and MySQL keep so much of a keyword; a longer one would never be indexed. */
const MOST_KEYWORD_CHARS = 255;

/** A keyword that every server takes. */
export function searchKeyword(text: string): string {
  return text.length <= MOST_KEYWORD_CHARS ? text : Array.from(text).slice(0, MOST_KEYWORD_CHARS).join('');
}

/** How the Temporal command line writes their types. */
const CLI_TYPES = { KEYWORD: 'Keyword', INT: 'Int' } as const;

/** As arguments of `temporal server start-dev`. */
export function startDevArguments(): readonly string[] {
  return Object.values(SEARCH_ATTRIBUTES).flatMap(({ name, type }) => [
    '--search-attribute',
    `${name}=${CLI_TYPES[type]}`,
  ]);
}

/** The command that registers them on a server of your own. */
export function registerCommand(namespace: string, attributes: readonly SearchAttribute[]): string {
  const named = attributes.map(({ name, type }) => `--name ${name} --type ${CLI_TYPES[type]}`);
  return `temporal operator search-attribute create --namespace ${namespace} ${named.join(' ')}`;
}

/** Of our search attributes, those that a namespace with these types (by name, as the server numbers them) lacks. */
export function missingSearchAttributes(
  known: Readonly<Record<string, unknown>>,
): readonly SearchAttribute[] {
  return Object.values(SEARCH_ATTRIBUTES).filter(({ name }) => !(name in known));
}
