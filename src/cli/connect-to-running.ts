import { DurableExtract } from '../client/durable-extract.ts';
import { stackHome } from '../stack/home.ts';
import type { OnProgress } from '../stack/progress.ts';
import { requireExternalWorker } from './external-workers.ts';
import { ensureRunning } from './running-stack.ts';

/** Starts what is missing, and connects to it. With `TEMPORAL_ADDRESS` set: takes the server and the workers that are there. */
export async function connectToRunning(onProgress: OnProgress): Promise<DurableExtract> {
  const place = { home: stackHome({ env: process.env }), env: process.env };
  const stack = await ensureRunning({ ...place, onProgress });
  if (stack.external) await requireExternalWorker(place);
  return DurableExtract.connect();
}
