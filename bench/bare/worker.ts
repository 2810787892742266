/** The yardstick's worker, a process of its own as ours is. Prints a line when it is ready; SIGTERM ends it. */
import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker, bundleWorkflowCode } from '@temporalio/worker';
import { BARE_ACTIVITY_QUEUE, BARE_QUEUE } from './names.ts';

const address = process.argv[2];
if (address === undefined) throw new Error('Expected the address of a Temporal server, got no argument.');

Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
const connection = await NativeConnection.connect({ address });
const workflowsPath = fileURLToPath(new URL('workflow.ts', import.meta.url));
const workers = [
  await Worker.create({
    connection,
    taskQueue: BARE_QUEUE,
    workflowBundle: await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') }),
    activities: {},
  }),
  await Worker.create({
    connection,
    taskQueue: BARE_ACTIVITY_QUEUE,
    activities: { nothing: async () => {} },
  }),
];
const runs = workers.map((worker) => worker.run());
process.once('SIGTERM', () => {
  for (const worker of workers) worker.shutdown();
});
process.stdout.write('ready\n');
await Promise.all(runs);
await connection.close();
