import {
  addFirstAnswer,
  addModels,
  addRejectedModes,
  hasNews,
  joinLessons,
  lessonFrom,
  modesFor,
} from '../src/core/learning.ts';
import type { FirstAnswer, Learnt, Lesson, Lessons, TriedModel } from '../src/core/learning.ts';
import type { PreparedBatch } from '../src/core/prepared.ts';

/** What a shard learns from the first answers about its documents, and hears from the coordinator of others. */
export class ShardLearning {
  readonly #prepared: PreparedBatch;
  #own: Learnt = {};
  /** Of its own, what the coordinator has not heard of. */
  #untold: Learnt = {};
  #untoldProblems = 0;
  #lessons: Lessons;

  constructor(prepared: PreparedBatch, lessons: Lessons = {}) {
    this.#prepared = prepared;
    this.#lessons = lessons;
  }

  /** First answers in which something went wrong that the coordinator has not heard of, and refusals of modes. */
  get untoldProblems(): number {
    return this.#untoldProblems;
  }

  /** What a new document is told, of the schema with this hash. */
  lessonFor(schemaHash: string): Lesson | undefined {
    return this.#lessons[schemaHash];
  }

  /** What all shards together have learnt goes before what this one has. */
  hear(lessons: Lessons): void {
    const hashes = new Set([...Object.keys(lessons), ...Object.keys(this.#lessons)]);
    for (const hash of hashes) this.#setLesson(hash, joinLessons(lessons[hash], this.#lessons[hash]));
  }

  /** Counts a first answer. What is learnt from it holds for this shard's next document. */
  count(answer: FirstAnswer): void {
    this.#own = addFirstAnswer(this.#own, answer);
    this.#untold = addFirstAnswer(this.#untold, answer);
    if (!hasNews(addFirstAnswer({}, answer))) return;
    this.#untoldProblems += 1;
    this.#learn(answer.schemaHash);
  }

  /** Notes modes that a provider refused; again, it is nothing new. */
  reject(schemaHash: string, modes: readonly string[]): void {
    const known = this.#own[schemaHash]?.rejectedModes ?? [];
    const unknown = modes.filter((mode) => !known.includes(mode));
    if (unknown.length === 0) return;
    this.#own = addRejectedModes(this.#own, schemaHash, unknown);
    this.#untold = addRejectedModes(this.#untold, schemaHash, unknown);
    this.#untoldProblems += 1;
    this.#learn(schemaHash);
  }

  /** Counts how a document ended with each of the models that were asked about it. */
  countModels(schemaHash: string, models: Readonly<Record<string, TriedModel>>): void {
    this.#own = addModels(this.#own, schemaHash, models);
    this.#untold = addModels(this.#untold, schemaHash, models);
    if (Object.keys(models).length < 2) return;
    this.#untoldProblems += 1;
    this.#learn(schemaHash);
  }

  /** What the coordinator is to hear: all that was counted since this was taken last; undefined where that is nothing. */
  takeUntold(): Learnt | undefined {
    const untold = this.#untold;
    this.#untold = {};
    this.#untoldProblems = 0;
    return Object.keys(untold).length === 0 ? undefined : untold;
  }

  #learn(schemaHash: string): void {
    const learnt = this.#own[schemaHash];
    if (learnt === undefined) return;
    const settings = modesFor(this.#prepared, schemaHash);
    this.#setLesson(schemaHash, lessonFrom(this.#lessons[schemaHash], learnt, settings));
  }

  #setLesson(schemaHash: string, lesson: Lesson | undefined): void {
    if (lesson !== undefined) this.#lessons = { ...this.#lessons, [schemaHash]: lesson };
  }
}
