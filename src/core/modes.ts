/** Which modes a schema can be asked for in, and in which order. */
import { compileStrict } from './compile-strict.ts';
import type { Mode, ResolvedMode } from './contract.ts';
import type { JsonObject } from './json.ts';
import type { PreparedModes } from './prepared.ts';

/** Thrown where a mode was asked for that the schema does not allow. */
export class ModeNotPossibleError extends Error {
  override readonly name = 'ModeNotPossibleError';
  readonly mode: Mode;
  readonly obstacles: readonly string[];

  constructor(mode: Mode, obstacles: readonly string[], advice: string) {
    super(`Mode '${mode}' is not possible with this schema: ${obstacles.join('; ')}. ${advice}`);
    this.mode = mode;
    this.obstacles = obstacles;
  }
}

/** Why a schema cannot be asked for in a mode. Empty where it can. */
export function modeObstacles(mode: Exclude<Mode, 'auto'>, jsonSchema: JsonObject): readonly string[] {
  if (mode === 'json_schema') {
    const compiled = compileStrict(jsonSchema);
    if (compiled.status === 'compiled') return [];
    return compiled.obstacles.map(({ path, why }) => `${path} ${why}`);
  }
  if (jsonSchema['type'] === 'object') return [];
  return [`the root's type must be "object", not ${JSON.stringify(jsonSchema['type'] ?? null)}`];
}

/**
 * The mode that is used. `auto` takes `json_schema` where the schema can be compiled for strict structured outputs, else `tool`
 * where its root is an object, else `prompt`.
 *
 * @throws {ModeNotPossibleError} where an explicit mode does not fit the schema.
 */
export function resolveMode(mode: Mode, jsonSchema: JsonObject): ResolvedMode {
  if (mode === 'auto') {
    const strictest = (['json_schema', 'tool'] as const).find((it) => isPossible(it, jsonSchema));
    return strictest ?? 'prompt';
  }
  const obstacles = modeObstacles(mode, jsonSchema);
  if (obstacles.length === 0) return mode;
  const advice =
    jsonSchema['type'] === 'object'
      ? "Change the schema, or use mode 'tool' or 'auto'."
      : "Wrap the value in an object, or use mode 'auto'.";
  throw new ModeNotPossibleError(mode, obstacles, advice);
}

/**
 * The mode of the first attempt by a schema, the stricter ones that follow bad JSON, and the weaker ones for a provider that takes
 * none of those. A mode that somebody named is never weakened; `auto` leaves the choice to us.
 *
 * @throws {ModeNotPossibleError} where an explicit mode does not fit the schema.
 */
export function modesOf(mode: Mode, jsonSchema: JsonObject): PreparedModes {
  const first = resolveMode(mode, jsonSchema);
  const stricter = STRICTER[first].filter((it) => isPossible(it, jsonSchema));
  const modes = { mode: first, stricterModes: stricter };
  if (mode !== 'auto' || first === 'prompt') return modes;
  const weaker = isPossible('json_object', jsonSchema)
    ? (['json_object', 'prompt'] as const)
    : ['prompt' as const];
  return { ...modes, weakerModes: weaker };
}

/**
 * The modes without those that the provider is known to refuse. The order stays; where none is left, all of them are tried, so
 * that it is the provider who says why it takes none.
 */
export function withoutRefused(
  modes: PreparedModes,
  isRefused: (mode: ResolvedMode) => boolean,
): PreparedModes {
  const { mode, stricterModes, weakerModes } = modes;
  const left = (weakerModes ?? []).filter((it) => !isRefused(it));
  const [first, ...stricter] = [mode, ...stricterModes].filter((it) => !isRefused(it));
  const [weaker, ...weakest] = left;
  const kept = weakerModes === undefined ? {} : { weakerModes: left };
  if (first !== undefined) return { mode: first, stricterModes: stricter, ...kept };
  return weaker === undefined ? modes : { mode: weaker, stricterModes: [], weakerModes: weakest };
}

const STRICTER: Readonly<Record<ResolvedMode, readonly Exclude<Mode, 'auto'>[]>> = {
  prompt: [],
  json_object: ['json_schema', 'tool'],
  json_schema: ['tool'],
  tool: [],
};

function isPossible(mode: Exclude<Mode, 'auto'>, jsonSchema: JsonObject): boolean {
  return modeObstacles(mode, jsonSchema).length === 0;
}
