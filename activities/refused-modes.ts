import { createHash } from 'node:crypto';
import type { ResolvedMode } from '../src/core/contract.ts';
import type { JsonObject } from '../src/core/json.ts';
import { modeOfModel } from '../src/core/strategy.ts';
import type { Route } from '../src/core/prepared.ts';

/** What a call was held to, as a provider refuses it. */
export interface AskedMode {
  readonly route: Pick<Route, 'provider' | 'model'>;
  readonly mode: ResolvedMode;
  readonly jsonSchema: JsonObject;
}

/** Modes that providers have refused while this worker ran, so that new extractions do not begin with a call that fails. */
export interface RefusedModes {
  /** @param about `schema`: it is this schema that the provider does not take in that mode, not the mode. */
  add(asked: AskedMode, about: 'mode' | 'schema'): void;
  has(asked: AskedMode): boolean;
}

/** More come from a provider that refuses everything: the oldest are forgotten, and cost a call again. */
const MOST_REMEMBERED = 1_000;

/** An empty memory, for one worker. */
export function refusedModes(): RefusedModes {
  const refused = new Set<string>();
  return {
    add({ route, mode, jsonSchema }, about) {
      const key = modeOfModel(route, mode);
      refused.add(about === 'mode' ? key : withSchema(key, jsonSchema));
      for (const oldest of refused) {
        if (refused.size <= MOST_REMEMBERED) break;
        refused.delete(oldest);
      }
    },
    has({ route, mode, jsonSchema }) {
      if (refused.size === 0) return false;
      const key = modeOfModel(route, mode);
      return refused.has(key) || refused.has(withSchema(key, jsonSchema));
    },
  };
}

function withSchema(key: string, jsonSchema: JsonObject): string {
  return `${key} ${createHash('sha256').update(JSON.stringify(jsonSchema)).digest('hex')}`;
}
