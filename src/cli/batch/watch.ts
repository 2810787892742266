import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import type { BatchHandle } from '../../client/batch-handle.ts';
import type { BatchStatus } from '../../core/batch-contract.ts';
import { wordsOfBudget } from '../../core/expense.ts';
import { messageOf } from '../../stack/error-facts.ts';
import { stackHome } from '../../stack/home.ts';
import type { OnProgress } from '../../stack/progress.ts';
import { stackStatus } from '../../stack/stack.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { onInterrupt } from '../interrupt.ts';
import { note, print } from '../output.ts';
import { ensureRunning } from '../running-stack.ts';
import type { BatchFlags } from './flags.ts';
import { gateLine } from '../gate/gate-line.ts';
import { grouped } from '../../core/grouped.ts';
import { progressLine, spendOf } from './progress-line.ts';

/** A terminal gets a line that moves, a file a line now and then. */
const ON_TERMINAL_MS = 500;
const IN_FILE_MS = 1_000;
const LINE_IN_FILE_MS = 15_000;
/** How often it is looked whether something of the embedded stack has died. */
const LOOK_AFTER_STACK_MS = 3_000;
const USUAL_COLUMNS = 80;
/** Said of a batch that is cancelled, until its figures are final. */
export const CALLS_ARE_LET_FINISH = 'cancelled: no further calls are made; those under way are let finish';

/**
 * Shows a batch until it has ended, and starts what died of the embedded stack meanwhile.
 *
 * @returns 0 where every document was extracted, else 3.
 */
export async function watchBatch(
  batch: BatchHandle,
  { json }: BatchFlags,
  onProgress: OnProgress,
): Promise<number> {
  const screen = openScreen();
  const stopListening = onInterrupt(() => {
    screen.end();
    note(
      `'${batch.id}' goes on without this command. Come back with:\n  durable-extract batch watch ${batch.id}`,
    );
  });
  try {
    const status = await untilEnded(batch, screen, onProgress);
    screen.end();
    await reportEnd(batch, status);
    if (json) print(status);
    return status.failed === 0 && status.pending === 0 ? EXIT.done : EXIT.notExtracted;
  } finally {
    screen.end();
    stopListening();
  }
}

async function untilEnded(batch: BatchHandle, screen: Screen, onProgress: OnProgress): Promise<BatchStatus> {
  const line = progressLine();
  let lookAt = performance.now() + LOOK_AFTER_STACK_MS;
  let trouble: string | undefined;
  let lastState: string | undefined;
  const tellOfGate = gateTeller(batch, screen);
  for (;;) {
    try {
      // In this order: what is written down until its coordinator has ended is in the status.
      const isAtWork = await batch.isAtWork();
      const status = await batch.status();
      trouble = undefined;
      const isOver = status.state !== 'running' && status.state !== 'paused';
      if (status.pausedFor !== null) return status;
      // One that is refused has nothing to show.
      if (status.model !== null && status.state !== 'failed') {
        screen.show(line.next(status, performance.now(), screen.columns()), status.state);
      }
      if (isOver && !isAtWork) return await settled(batch, status);
      if (status.state !== lastState) announce(status, screen);
      lastState = status.state;
      await tellOfGate();
    } catch (error) {
      if (exitCodeOf(error) === EXIT.badInput) throw error;
      // The server is away: it is started again below, or comes back by itself.
      if (trouble !== messageOf(error)) note(`the batch cannot be looked at just now: ${messageOf(error)}`);
      trouble = messageOf(error);
      lookAt = 0;
    }
    if (performance.now() >= lookAt) {
      await startWhatDied(onProgress);
      lookAt = performance.now() + LOOK_AFTER_STACK_MS;
    }
    await sleep(screen.everyMs);
  }
}

/** What a person who watches should know of a state that is new. */
function announce({ id, state }: BatchStatus, screen: Screen): void {
  if (state !== 'paused' && state !== 'cancelled') return;
  screen.end();
  note(
    state === 'paused'
      ? `paused: no calls are made. Go on with:\n  durable-extract batch resume ${id}`
      : CALLS_ARE_LET_FINISH,
  );
}

/** Says, each time it changes, why calls are held back, and that they are not any more. */
function gateTeller(batch: BatchHandle, screen: Screen): () => Promise<void> {
  let told = 'closed';
  return async () => {
    const gate = await batch.gate();
    if (gate === undefined || gate.state === told) return;
    told = gate.state;
    screen.end();
    note(`gate of ${gateLine(gate, Date.now())}`);
    if (gate.state === 'parked') note(`open it with: durable-extract gate reset ${gate.provider}`);
  };
}

/** Why it failed is said by its workflow. @throws {InvalidInputError} where its settings were wrong. */
async function settled(batch: BatchHandle, status: BatchStatus): Promise<BatchStatus> {
  if (status.state !== 'failed') return status;
  try {
    return await batch.done();
  } catch (error) {
    if (exitCodeOf(error) === EXIT.badInput) throw error;
    note(reasonOf(error));
    return status;
  }
}

/** A workflow's failure keeps its reason in its cause. */
export function reasonOf(error: unknown): string {
  return messageOf(error instanceof WorkflowFailedError ? (error.cause ?? error) : error);
}

/** Only what has died, so that a look at a batch never replaces a worker that was started differently. */
async function startWhatDied(onProgress: OnProgress): Promise<void> {
  const home = stackHome({ env: process.env });
  const { processes } = await stackStatus(home);
  const dead = processes.filter(({ state }) => state === 'dead').map(({ name }) => name);
  if (dead.length === 0) return;
  note(`died, and is started again: ${dead.join(', ')}`);
  try {
    await ensureRunning({ home, env: process.env, onProgress });
  } catch (error) {
    // It may have been killed once more while it started: there is another look soon.
    note(`not yet: ${messageOf(error)}`);
  }
}

interface Screen {
  readonly everyMs: number;
  /** That a line may take, at most. */
  columns(): number;
  show(line: string, state: string): void;
  end(): void;
}

function openScreen(): Screen {
  const { stderr } = process;
  if (stderr.isTTY) {
    let isOpen = false;
    return {
      everyMs: ON_TERMINAL_MS,
      // A terminal that does not know its size says 0; a full last column would begin another line.
      columns: () => (stderr.columns || USUAL_COLUMNS) - 1,
      show(line) {
        stderr.write(`\r\u001B[2K${line}`);
        isOpen = true;
      },
      end() {
        if (isOpen) stderr.write('\n');
        isOpen = false;
      },
    };
  }
  let next = Number.NEGATIVE_INFINITY;
  let lastState: string | undefined;
  return {
    everyMs: IN_FILE_MS,
    columns: () => Number.POSITIVE_INFINITY,
    show(line, state) {
      if (performance.now() < next && state === lastState) return;
      note(line);
      lastState = state;
      next = performance.now() + LINE_IN_FILE_MS;
    },
    end() {},
  };
}

async function reportEnd(batch: BatchHandle, status: BatchStatus): Promise<void> {
  const { id, state, succeeded, failed, pending, total, simulated } = status;
  note(
    `${state}: ${grouped(succeeded)} of ${grouped(total)} extracted, ${grouped(failed)} failed` +
      `${pending > 0 ? `, ${grouped(pending)} not done` : ''}; ${spendOf(status)}`,
  );
  if (simulated) note('SIMULATED: no model was asked; set OPENAI_API_KEY to ask one');
  if (status.pausedFor !== null) note(adviceOnBudget(status));
  else if (state !== 'completed') note(`go on with: durable-extract batch resume ${id}`);
  else if (status.inReview > 0) note(adviceOnReview(status));
  else if (failed > 0) note(await adviceOnFailed(batch));
  note(`results: durable-extract batch export ${id} --out results.jsonl`);
}

function adviceOnReview({ id, inReview }: BatchStatus): string {
  return `${grouped(inReview)} of the failed ones wait for a person: durable-extract batch review ${id}`;
}

/** Calls that were under way when it was paused are let finish, and what they answer is kept. */
function adviceOnBudget({ id, budget }: BatchStatus): string {
  const flag = budget?.maxCostUsd === undefined ? '--max-tokens' : '--max-cost-usd';
  return (
    `its budget of ${wordsOfBudget(budget ?? {})} does not cover the next call; no further one is made. Go on with:\n` +
    `  durable-extract batch resume ${id} ${flag} MORE`
  );
}

async function adviceOnFailed(batch: BatchHandle): Promise<string> {
  return (await batch.countRetryable()) > 0
    ? `do the failed ones again with: durable-extract batch retry-failed ${batch.id}`
    : 'all that failed are lines that cannot be used: correct them, and run them under another id';
}
