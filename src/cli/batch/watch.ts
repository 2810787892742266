import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError } from '@temporalio/client';
import type { BatchHandle } from '../../client/batch-handle.ts';
import type { BatchStatus } from '../../core/batch-contract.ts';
import { messageOf } from '../../stack/error-facts.ts';
import { stackHome } from '../../stack/home.ts';
import type { OnProgress } from '../../stack/progress.ts';
import { stackStatus } from '../../stack/stack.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { onInterrupt } from '../interrupt.ts';
import { note, print } from '../output.ts';
import { ensureRunning } from '../running-stack.ts';
import type { BatchFlags } from './flags.ts';
import { grouped, progressLine, spendOf } from './progress-line.ts';

/** A terminal gets a line that moves, a file a line now and then. */
const ON_TERMINAL_MS = 500;
const IN_FILE_MS = 1_000;
const LINE_IN_FILE_MS = 15_000;
/** How often it is looked whether something of the embedded stack has died. */
const LOOK_AFTER_STACK_MS = 3_000;
const USUAL_COLUMNS = 80;

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
    reportEnd(status);
    if (json) print(status);
    return status.failed === 0 && status.pending === 0 ? EXIT.done : EXIT.notExtracted;
  } finally {
    stopListening();
  }
}

async function untilEnded(batch: BatchHandle, screen: Screen, onProgress: OnProgress): Promise<BatchStatus> {
  const line = progressLine();
  let lookAt = performance.now() + LOOK_AFTER_STACK_MS;
  let trouble: string | undefined;
  let lastState: string | undefined;
  for (;;) {
    let status: BatchStatus | undefined;
    try {
      status = await batch.status();
      trouble = undefined;
      screen.show(line.next(status, performance.now()), status.state);
      if (status.state === 'paused' && lastState !== 'paused') {
        screen.end();
        note(`paused: no calls are made. Go on with:\n  durable-extract batch resume ${batch.id}`);
      }
      lastState = status.state;
    } catch (error) {
      if (exitCodeOf(error) === EXIT.badInput) throw error;
      // The server is away: it is started again below, or comes back by itself.
      if (trouble !== messageOf(error)) note(`the batch cannot be looked at just now: ${messageOf(error)}`);
      trouble = messageOf(error);
      lookAt = 0;
    }
    if (status !== undefined && status.state !== 'running' && status.state !== 'paused') {
      return settled(batch, status);
    }
    if (performance.now() >= lookAt) {
      await startWhatDied(onProgress);
      lookAt = performance.now() + LOOK_AFTER_STACK_MS;
    }
    await sleep(screen.everyMs);
  }
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
  show(line: string, state: string): void;
  end(): void;
}

function openScreen(): Screen {
  const { stderr } = process;
  if (stderr.isTTY) {
    let isOpen = false;
    return {
      everyMs: ON_TERMINAL_MS,
      show(line) {
        // A terminal that does not know its size says 0.
        const columns = stderr.columns || USUAL_COLUMNS;
        const shown = line.length < columns ? line : `${line.slice(0, columns - 2)}…`;
        stderr.write(`\r\u001B[2K${shown}`);
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
    show(line, state) {
      if (performance.now() < next && state === lastState) return;
      note(line);
      lastState = state;
      next = performance.now() + LINE_IN_FILE_MS;
    },
    end() {},
  };
}

function reportEnd(status: BatchStatus): void {
  const { id, state, succeeded, failed, pending, total, simulated } = status;
  note(
    `${state}: ${grouped(succeeded)} of ${grouped(total)} extracted, ${grouped(failed)} failed` +
      `${pending > 0 ? `, ${grouped(pending)} not done` : ''}; ${spendOf(status)}`,
  );
  if (simulated) note('SIMULATED: no model was asked; set OPENAI_API_KEY to ask one');
  if (state !== 'completed') note(`go on with: durable-extract batch resume ${id}`);
  else if (failed > 0) note(`do the failed ones again with: durable-extract batch retry-failed ${id}`);
  note(`results: durable-extract batch export ${id} --out results.jsonl`);
}
