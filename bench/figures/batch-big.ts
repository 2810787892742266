import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BatchStatus } from '../../src/client/index.ts';
import { readStackFile } from '../../src/stack/state-file.ts';
import { shortDocuments, withBatchStack } from '../batch-stack.ts';
import type { BatchStack } from '../batch-stack.ts';
import type { Figure, Row } from '../figure.ts';

const DOCUMENTS = 50_000;
const WARM_AT = 5_000;
const CONCURRENCY = 100;
const COMMAND = fileURLToPath(new URL('../../bin/durable-extract.js', import.meta.url));

/** Whether anything grows with the batch: memory of the worker and of the command, histories. Takes some minutes. */
export const batchBig: Figure = {
  title: `Batch of ${DOCUMENTS} documents through the command line, provider without latency, ${CONCURRENCY} at once`,
  measure: () =>
    withBatchStack({ provider: [] }, async (stack) => {
      const file = join(stack.home, 'docs.jsonl');
      const lines = function* () {
        for (const document of shortDocuments(DOCUMENTS)) yield `${JSON.stringify(document)}\n`;
      };
      await pipeline(Readable.from(lines()), createWriteStream(file));
      const startedAt = performance.now();
      const args = [
        COMMAND,
        'batch',
        'run',
        file,
        '--schema',
        'user',
        '--id',
        'big',
        '--concurrency',
        String(CONCURRENCY),
      ];
      const command = spawn(process.execPath, args, { env: stack.env, stdio: 'ignore' });
      const memory = await watchMemory(stack, command.pid ?? 0, once(command, 'exit'));
      const ms = performance.now() - startedAt;
      return [
        {
          what: 'documents a second',
          figure: ((DOCUMENTS / ms) * 1_000).toFixed(0),
          details: `${(ms / 1_000).toFixed(0)} s, reading included`,
        },
        memoryRow('worker', memory.worker),
        memoryRow('command', memory.command),
        ...(await historyRows(stack)),
      ];
    }),
};

interface Memory {
  /** The most, in MB, until so many documents were done; and in all. */
  warm: number;
  peak: number;
}

async function watchMemory(
  { extractor, home }: BatchStack,
  commandPid: number,
  exited: Promise<unknown>,
): Promise<{ readonly worker: Memory; readonly command: Memory }> {
  const memory = { worker: { warm: 0, peak: 0 }, command: { warm: 0, peak: 0 } };
  while ((await Promise.race([sleep(1_000, 'goes on'), exited])) === 'goes on') {
    const done = await doneSoFar(extractor);
    const pids = { worker: readStackFile(home).processes['worker']?.pid ?? 0, command: commandPid };
    for (const name of ['worker', 'command'] as const) {
      const megabytes = residentMegabytes(pids[name]);
      memory[name].peak = Math.max(memory[name].peak, megabytes);
      if (done <= WARM_AT) memory[name].warm = memory[name].peak;
    }
  }
  return memory;
}

async function doneSoFar(extractor: BatchStack['extractor']): Promise<number> {
  try {
    const status: BatchStatus = await (await extractor.batchHandle('big')).status();
    return status.total - status.pending;
  } catch {
    // It is being read in.
    return 0;
  }
}

function residentMegabytes(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return Number(stdout.trim() || 0) / 1024;
}

function memoryRow(who: string, { warm, peak }: Memory): Row {
  return {
    what: `${who}: peak memory against that at ${WARM_AT}`,
    figure: `${(peak / warm).toFixed(2)} times`,
    details: `${warm.toFixed(0)} MB, then ${peak.toFixed(0)} MB; aim: at most 1.3`,
  };
}

async function historyRows({ extractor }: BatchStack): Promise<readonly Row[]> {
  const { client } = extractor;
  let events = 0;
  let bytes = 0;
  let shards = 0;
  const query = "WorkflowType = 'shard' OR WorkflowType = 'batch'";
  for await (const { workflowId, runId, type } of client.workflow.list({ query })) {
    const { historyLength, historySize } = await client.workflow.getHandle(workflowId, runId).describe();
    events = Math.max(events, historyLength);
    bytes = Math.max(bytes, historySize ?? 0);
    if (type === 'shard') shards += 1;
  }
  return [
    {
      what: 'longest history',
      figure: `${events.toLocaleString('en')} events`,
      details: `of ${shards} shards and the coordinator; aim: at most 10,000`,
    },
    { what: 'largest history', figure: `${(bytes / 1e6).toFixed(2)} MB`, details: 'aim: at most 10 MB' },
  ];
}
