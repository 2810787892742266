import type { Verdict } from '../src/core/contract.ts';
import type { OpenedBatch, PreparedCall, PreparedExtraction } from '../src/core/prepared.ts';
import { ask } from './ask.ts';
import { endingFaults } from './ending-faults.ts';
import type { AskInput, AskResult } from './ask.ts';
import { askSeries } from './ask-series.ts';
import type { AskSeriesInput, SeriesResult } from './ask-series.ts';
import * as batches from './batches.ts';
import { correct, endReview } from './correct.ts';
import type { CorrectInput } from './correct.ts';
import * as gates from './gate.ts';
import { prepareCompletion, prepareExtraction } from './prepare.ts';
import { say } from './say.ts';
import type { SayInput, SayResult } from './say.ts';
import { tellShards } from './tell-shards.ts';
import type { World } from './world.ts';

/** Activities that decide: they run on the workflows' own task queue, as local activities. */
export interface PlanningActivities {
  prepareExtraction(input: unknown): Promise<PreparedExtraction>;
  prepareCompletion(input: unknown): Promise<PreparedCall>;
  openBatch(input: Input<typeof batches.openBatch>): Promise<OpenedBatch>;
}

/** Activities that read and write the store, or tell the server: local as well, quick, and idempotent. */
export interface StoreActivities {
  openShard(input: Input<typeof batches.openShard>): ReturnType<typeof batches.openShard>;
  countPending(input: Input<typeof batches.countPending>): Promise<number>;
  countFailed(input: Input<typeof batches.countFailed>): Promise<number>;
  recordOutcomes(input: Input<typeof batches.recordOutcomes>): ReturnType<typeof batches.recordOutcomes>;
  recordExtraction(input: Input<typeof batches.recordExtraction>): Promise<void>;
  correct(input: CorrectInput): Promise<Verdict>;
  endReview(input: Input<typeof endReview>): Promise<void>;
  rejudge(input: Input<typeof batches.rejudge>): ReturnType<typeof batches.rejudge>;
  setBatchState(input: Input<typeof batches.setBatchState>): Promise<void>;
  setBatchConcurrency(input: Input<typeof batches.setBatchConcurrency>): Promise<void>;
  setBatchBudget(input: Input<typeof batches.setBatchBudget>): Promise<void>;
  setBatchLearning(input: Input<typeof batches.setBatchLearning>): Promise<void>;
  tellShards(input: Parameters<typeof tellShards>[0]): Promise<void>;
  endedShards(input: Parameters<typeof batches.endedShards>[0]): ReturnType<typeof batches.endedShards>;
  openGate(input: Input<typeof gates.openGate>): ReturnType<typeof gates.openGate>;
  applyGate(input: Input<typeof gates.applyGate>): ReturnType<typeof gates.applyGate>;
  gateStatus(input: Input<typeof gates.gateStatus>): ReturnType<typeof gates.gateStatus>;
  chooseRoute(input: Input<typeof gates.chooseRoute>): ReturnType<typeof gates.chooseRoute>;
}

/** Activities that call a model: they run on the provider's task queue. */
export interface ModelActivities {
  ask(input: AskInput): Promise<AskResult>;
  askSeries(input: AskSeriesInput): Promise<readonly SeriesResult[]>;
  say(input: SayInput): Promise<SayResult>;
}

/** What an activity takes besides the world it runs in. */
type Input<F extends (world: World, input: never) => unknown> = Parameters<F>[1];

/** What a worker registers on the workflows' task queue. */
export function houseActivities(world: World): PlanningActivities & StoreActivities {
  return {
    prepareExtraction: (input) => prepareExtraction(world, input),
    prepareCompletion: (input) => prepareCompletion(world, input),
    openBatch: (input) => batches.openBatch(world, input),
    openShard: (input) => batches.openShard(world, input),
    countPending: (input) => batches.countPending(world, input),
    countFailed: (input) => batches.countFailed(world, input),
    recordOutcomes: (input) => batches.recordOutcomes(world, input),
    recordExtraction: (input) => batches.recordExtraction(world, input),
    correct: (input) => correct(world, input),
    endReview: (input) => endReview(world, input),
    rejudge: (input) => batches.rejudge(world, input),
    setBatchState: (input) => batches.setBatchState(world, input),
    setBatchConcurrency: (input) => batches.setBatchConcurrency(world, input),
    setBatchBudget: (input) => batches.setBatchBudget(world, input),
    setBatchLearning: (input) => batches.setBatchLearning(world, input),
    tellShards: (input) => tellShards(input),
    endedShards: (input) => batches.endedShards(input),
    openGate: (input) => gates.openGate(world, input),
    applyGate: (input) => gates.applyGate(world, input),
    gateStatus: (input) => gates.gateStatus(world, input),
    chooseRoute: (input) => gates.chooseRoute(world, input),
  };
}

/** What a worker registers on a provider's task queue. */
export function modelActivities(world: World): ModelActivities {
  return {
    ask: (input) => endingFaults(() => ask(world, input), input.earlier),
    askSeries: (input) => endingFaults(() => askSeries(world, input)),
    say: (input) => endingFaults(() => say(world, input)),
  };
}
