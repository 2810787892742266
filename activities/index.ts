import { ask } from './ask.ts';
import type { AskInput, AskResult } from './ask.ts';
import { prepareCompletion, prepareExtraction } from './prepare.ts';
import type { PreparedCall, PreparedExtraction } from './prepare.ts';
import { say } from './say.ts';
import type { SayInput, SayResult } from './say.ts';
import type { World } from './world.ts';

/** Activities that decide: they run on the workflows' own task queue, as local activities. */
export interface PlanningActivities {
  prepareExtraction(input: unknown): Promise<PreparedExtraction>;
  prepareCompletion(input: unknown): Promise<PreparedCall>;
}

/** Activities that call a model: they run on the provider's task queue. */
export interface ModelActivities {
  ask(input: AskInput): Promise<AskResult>;
  say(input: SayInput): Promise<SayResult>;
}

/** What a worker registers on the workflows' task queue. */
export function planningActivities(world: World): PlanningActivities {
  return {
    prepareExtraction: (input) => prepareExtraction(world, input),
    prepareCompletion: (input) => prepareCompletion(world, input),
  };
}

/** What a worker registers on a provider's task queue. */
export function modelActivities(world: World): ModelActivities {
  return { ask: (input) => ask(world, input), say: (input) => say(world, input) };
}
