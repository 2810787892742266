import { compileStrict } from '../../core/compile-strict.ts';
import type { DroppedKeyword, StrictObstacle } from '../../core/compile-strict.ts';
import { MODES } from '../../core/contract.ts';
import type { Mode, ResolvedMode } from '../../core/contract.ts';
import type { JsonObject } from '../../core/json.ts';
import { modeObstacles, modesOf } from '../../core/modes.ts';
import { EXIT } from '../exit-codes.ts';
import { print } from '../output.ts';
import { readSchemaFile } from '../read-schema.ts';

/** What `schema check --json` prints. */
export interface SchemaReport {
  readonly name: string;
  /** What `auto` does, mode by mode: the first attempt's, those after bad JSON, those for a provider that takes none of them. */
  readonly auto: {
    readonly mode: ResolvedMode;
    readonly stricterModes: readonly ResolvedMode[];
    readonly weakerModes: readonly ResolvedMode[];
  };
  readonly modes: Readonly<
    Record<ResolvedMode, { readonly possible: boolean; readonly obstacles: readonly string[] }>
  >;
  readonly strict: {
    /** Whether the schema is sent in `json_schema` mode as it is. */
    readonly unchanged: boolean;
    /** What strict mode is not told, and what happens instead. */
    readonly dropped: readonly DroppedKeyword[];
    /** Why there is no strict form of it; empty where there is one. */
    readonly obstacles: readonly StrictObstacle[];
    /** What is sent; null where nothing can be. */
    readonly schema: JsonObject | null;
  };
  readonly warnings: readonly string[];
}

/** `schema check FILE`: in which modes a schema can be asked for, and what becomes of it in strict mode. Starts nothing. */
export function schemaCheckCommand(file: string, { json }: { readonly json?: true }): number {
  const report = reportOf(readSchemaFile('schema check', file));
  if (json) print(report);
  else process.stdout.write(`${linesOf(report).join('\n')}\n`);
  return EXIT.done;
}

function reportOf({
  name,
  jsonSchema,
}: {
  readonly name: string;
  readonly jsonSchema: JsonObject;
}): SchemaReport {
  const strict = compileStrict(jsonSchema);
  const isCompiled = strict.status === 'compiled';
  const named = MODES.filter((mode): mode is Exclude<Mode, 'auto'> => mode !== 'auto');
  const modes = named.map((mode) => {
    const obstacles = modeObstacles(mode, jsonSchema);
    return [mode, { possible: obstacles.length === 0, obstacles }] as const;
  });
  return {
    name,
    auto: { weakerModes: [], ...modesOf('auto', jsonSchema) },
    modes: {
      prompt: { possible: true, obstacles: [] },
      ...(Object.fromEntries(modes) as Omit<SchemaReport['modes'], 'prompt'>),
    },
    strict: {
      unchanged: isCompiled && strict.schema === jsonSchema,
      dropped: isCompiled ? strict.dropped : [],
      obstacles: isCompiled ? [] : strict.obstacles,
      schema: isCompiled ? strict.schema : null,
    },
    warnings: warningsOf(jsonSchema, isCompiled ? strict.dropped : []),
  };
}

function warningsOf(jsonSchema: JsonObject, dropped: readonly DroppedKeyword[]): readonly string[] {
  const ambiguous = dropped.filter(({ effect }) => effect === 'stays_null');
  const opened = dropped.filter(({ effect }) => effect === 'closed');
  const unchecked = dropped.filter(({ effect }) => effect === 'not_checked');
  return [
    ...ambiguous.map(
      ({ path }) =>
        `${path} may be absent and may be null: json_schema mode always gives null. Decide for one of them`,
    ),
    ...opened.map(
      ({ path }) =>
        `${path} does not say "additionalProperties": false: other modes accept fields that are not listed`,
    ),
    ...unchecked.map(({ path, keyword }) => `${path} has ${keyword}, which holds nothing to anything`),
    ...(jsonSchema['type'] === 'object'
      ? []
      : ['the root has no "type": "object": tool and json_object mode do not take it']),
  ];
}

const EXPLAINED: Readonly<Record<ResolvedMode, string>> = {
  json_schema: 'strict structured outputs',
  tool: 'a forced tool call',
  json_object: 'JSON of any shape, the schema in the prompt',
  prompt: 'the schema in the prompt, nothing else',
};

function linesOf(report: SchemaReport): readonly string[] {
  const { name, auto, modes, strict, warnings } = report;
  const ladder = [
    auto.mode,
    ...(auto.stricterModes.length === 0 ? [] : [`after bad JSON ${auto.stricterModes.join(', ')}`]),
    ...(auto.weakerModes.length === 0
      ? []
      : [`for a provider that refuses those ${auto.weakerModes.join(', ')}`]),
  ];
  const inOrder = ['json_schema', 'tool', 'json_object', 'prompt'] as const;
  return [
    `${name}: a valid JSON Schema`,
    `auto: ${ladder.join('; ')}`,
    '',
    'modes',
    ...inOrder.flatMap((mode) => [
      `  ${mode.padEnd(12)} ${modes[mode].possible ? 'yes' : 'no '}  ${EXPLAINED[mode]}`,
      ...modes[mode].obstacles.map((obstacle) => `                    ${obstacle}`),
    ]),
    '',
    ...strictLines(strict),
    ...(warnings.length === 0 ? [] : ['', 'warnings', ...warnings.map((warning) => `  ${warning}`)]),
  ];
}

function strictLines({ unchanged, dropped, schema }: SchemaReport['strict']): readonly string[] {
  if (unchanged) return ['in json_schema mode: sent as it is'];
  if (schema === null) return ['in json_schema mode: not possible; see above'];
  if (dropped.length === 0) return ['in json_schema mode: sent in other words, which mean the same'];
  const paths = widest(dropped.map(({ path }) => path));
  const keywords = widest(dropped.map(({ keyword }) => keyword));
  return [
    'in json_schema mode: what strict mode cannot express, and what happens instead',
    ...dropped.map(
      ({ path, keyword, why }) => `  ${path.padEnd(paths)}  ${keyword.padEnd(keywords)}  ${why}`,
    ),
  ];
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map(({ length }) => length));
}
