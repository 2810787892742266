/** What a shard holds in memory, and how long its history may become. */
import { patched, workflowInfo } from '@temporalio/workflow';
import type { Tries } from '../activities/call-model.ts';
import type { ShardInput } from '../src/core/batch-signals.ts';
import type { Budget } from '../src/core/contract.ts';
import type { Lesson } from '../src/core/learning.ts';
import type { PendingDocument, PreparedExtraction } from '../src/core/prepared.ts';
import type { DocumentOutcome } from '../src/core/stored-outcome.ts';
import type { Conversation } from './conversation.ts';
import { SentAhead } from './sent-ahead.ts';
import { SeriesLength } from './series.ts';
import type { Series } from './series.ts';
import { ShardLearning } from './shard-learning.ts';
import { Turns } from './turns.ts';

/** Far below the server's limits of 51,200 events and 50 MB: no further document is begun. */
const MOST_EVENTS = 4_000;
const MOST_HISTORY_BYTES = 4_000_000;
/** Conversations that are still at it then go on in another shard. */
const LAST_EVENTS = 8_000;
const LAST_HISTORY_BYTES = 8_000_000;

/** A shard at work. Mutable on purpose: it is the workflow's state. */
export interface Shard {
  readonly input: ShardInput;
  readonly turns: Turns;
  /** Undefined in a shard that was begun by code that sent none. */
  readonly ahead: SentAhead | undefined;
  /** Undefined where each document is asked by itself. */
  readonly seriesLength: SeriesLength | undefined;
  /** By the document's place in the batch, as long as it shares the turn of its series. */
  readonly inSeries: Map<number, Series>;
  /** Undefined where the batch does not learn. */
  readonly learning: ShardLearning | undefined;
  readonly conversations: Promise<void>[];
  readonly inWork: Set<Conversation>;
  /** Outcomes that are not written yet. */
  readonly finished: DocumentOutcome[];
  readonly givenBack: PendingDocument[];
  readonly recorded: { succeeded: number; failed: number };
  done: number;
  /** The budget of the batch that did not cover a call, until the coordinator has been told. */
  exceeded: Budget | undefined;
  /** Whether the coordinator waits for the end of what is under way. */
  isToDrain: boolean;
  /** Whether outcomes are being written. */
  isRecording: boolean;
  /** Whether every document was begun, or given back. */
  isExhausted: boolean;
  /** Whether no conversation goes on. */
  isOver: boolean;
}

/** A document in work. */
export interface Begun {
  readonly document: PendingDocument;
  /** Whether it has a turn of its shard, as far as that knows; a document that is sent ahead is to get another's. */
  hasTurn: boolean;
  /** Whether its first call waits in the worker for a slot. */
  isAhead: boolean;
  /** The document that has got its slot in the worker. */
  handedTo?: number | undefined;
  /** What was tried of its first attempt in the series. */
  earlier?: Tries | undefined;
  readonly conversation: Conversation;
  /** What it was told of the documents before it. */
  readonly lesson: Lesson | undefined;
}

export function openShard(input: ShardInput): Shard {
  const turns = new Turns(input.limit);
  return {
    input,
    turns,
    ahead: patched('sent ahead')
      ? new SentAhead(turns, { startedAt: Date.now(), callMs: input.callMs })
      : undefined,
    seriesLength:
      patched('series') && mayShareTurns(input.opened.settings)
        ? new SeriesLength({ isTaught: input.callMs !== undefined })
        : undefined,
    inSeries: new Map(),
    learning: input.opened.settings.learns ? new ShardLearning(input.opened, input.lessons) : undefined,
    conversations: [],
    inWork: new Set(),
    finished: [],
    givenBack: [],
    recorded: { succeeded: 0, failed: 0 },
    done: 0,
    exceeded: undefined,
    isToDrain: false,
    isRecording: false,
    isExhausted: false,
    isOver: false,
  };
}

/** Documents that have a time of their own, or may go elsewhere while they wait, are asked one by one. */
function mayShareTurns({ deadlineMs, gate }: PreparedExtraction): boolean {
  return deadlineMs === undefined && gate?.onOutage !== 'fail' && (gate?.fallbacks ?? []).length === 0;
}

export function settingsFor({ opened }: ShardInput, { schemaHash }: PendingDocument): PreparedExtraction {
  const own = schemaHash === undefined ? undefined : opened.ownSchemas[schemaHash];
  if (own === undefined) return opened.settings;
  const { name, ...modes } = own;
  const { weakerModes: _ofTheBatch, ...settings } = opened.settings;
  return { ...settings, schema: { name }, ...modes };
}

export function schemaHashOf({ opened }: ShardInput, { schemaHash }: PendingDocument): string {
  return schemaHash ?? opened.schemaHash;
}

export class HistoryIsLong extends Error {}

export function isHistoryLong(): boolean {
  const { historyLength, historySize, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > MOST_EVENTS || historySize > MOST_HISTORY_BYTES;
}

export function isHistoryTooLong(): boolean {
  const { historyLength, historySize } = workflowInfo();
  return historyLength > LAST_EVENTS || historySize > LAST_HISTORY_BYTES;
}
