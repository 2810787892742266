import { Command, CommanderError } from 'commander';
import type { OnProgress } from '../stack/progress.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import type { ExportFlags } from './batch/export.ts';
import type { ResumeFlags } from './batch/control.ts';
import type { CorrectFlags as BatchCorrectFlags } from './batch/correct.ts';
import type { ReviewFlags } from './batch/review.ts';
import type { CorrectFlags } from './correct-command.ts';
import type { BatchFlags, BatchRunFlags } from './batch/flags.ts';
import type { DashboardFlags } from './dashboard-command.ts';
import type { ExtractFlags } from './extract-command.ts';
import type { GateFlags } from './gate/gate-commands.ts';
import { note } from './output.ts';
import type { StackFlags, UpFlags } from './stack-commands.ts';
import type { StatsFlags } from './stats-command.ts';
import type { WorkerFlags } from './worker-command.ts';

const onProgress: OnProgress = ({ message }) => note(message);

/** Commands are loaded when they are used: a worker's modules take half a second, which `--help` need not wait for. */
function program(setExitCode: (code: number) => void): Command {
  const root = new Command('durable-extract')
    .description('Structured data out of language models, durably.')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 internal fault, 2 wrong usage or bad input, 3 not extracted.\n' +
        'Without OPENAI_API_KEY, and without a configuration file, a simulated provider answers, and everything printed says so.\n\n' +
        "Example: durable-extract extract 'Ada Lovelace, ada@example.org' --schema user",
    )
    .exitOverride();
  root
    .command('extract')
    .description('extract data from one text; data on stdout, the rest on stderr')
    .argument('[text]', 'the text; or --file, or standard input')
    .option('--file <file>', 'read the text from a file')
    .option('--schema <name|file>', 'a registered schema, or a JSON Schema file (required)')
    .option('--model <model>', 'model, or provider/model')
    .option('--strategy <strategy>', 'basic, feedback or adaptive (default)')
    .option('--max-attempts <n>', 'answers that are judged, at most (default 3)')
    .option(
      '--models <models>',
      'asked in turn where the model makes the same mistake again, separated by commas',
    )
    .option('--transcript <what>', 'shown of earlier answers: last or full (default by strategy)')
    .option('--on-outage <what>', 'while the provider is down: fail (default) or wait')
    .option(
      '--on-exhausted <what>',
      'where the answers are wrong to the last: fail (default) or review, by a person',
    )
    .option(
      '--review-deadline <time>',
      'how long it waits for a person, such as 2h or 3d (default: as long as it takes)',
    )
    .option('--max-tokens <n>', 'what it may spend, prompts and answers together')
    .option('--max-cost-usd <x>', 'the same in US dollars')
    .option('--id <id>', 'names the extraction: the same id twice is one extraction')
    .option('--json', 'print the whole outcome')
    .action(async (text: string | undefined, flags: ExtractFlags) => {
      const { extractCommand } = await import('./extract-command.ts');
      setExitCode(await extractCommand(text, flags, onProgress));
    });
  root
    .command('correct')
    .description('enter data by hand for an extraction that waits for a person')
    .argument('<id>')
    .option('--data <json>', 'its data')
    .option('--give-up', 'let it end as it is')
    .option('--by <name>', 'who does it')
    .action(async (id: string, flags: CorrectFlags) => {
      const { correctCommand } = await import('./correct-command.ts');
      setExitCode(await correctCommand(id, flags, onProgress));
    });
  root
    .command('up')
    .description(
      'start the Temporal server, the worker, the dashboard and, without a key, the simulated provider',
    )
    .option('--metrics <host:port>', "serve the worker's metrics for Prometheus from now on; 'off' to stop")
    .option('--json', 'print JSON')
    .action(async (flags: UpFlags) => {
      const { upCommand } = await import('./stack-commands.ts');
      setExitCode(await upCommand(flags, onProgress));
    });
  root
    .command('down')
    .description('end all that up or extract started; histories stay')
    .option('--json', 'print JSON')
    .action(async (flags: StackFlags) => {
      const { downCommand } = await import('./stack-commands.ts');
      setExitCode(await downCommand(flags, onProgress));
    });
  root
    .command('status')
    .description('show what runs')
    .option('--json', 'print JSON')
    .action(async (flags: StackFlags) => {
      const { statusCommand } = await import('./stack-commands.ts');
      setExitCode(await statusCommand(flags));
    });
  root
    .command('worker')
    .description('run a worker in the foreground')
    .option('--metrics <host:port>', 'serve metrics for Prometheus; a range of ports for several workers')
    .action(async (flags: WorkerFlags) => {
      const { workerCommand } = await import('./worker-command.ts');
      setExitCode(await workerCommand(flags, onProgress));
    });
  root
    .command('dashboard')
    .description('serve the dashboard in the foreground; `up` starts it too')
    .option('--host <address>', 'where it listens (default 127.0.0.1); elsewhere it demands a token')
    .option('--port <port>', 'default: 8480, or another that is free')
    .option(
      '--allow-host <name>',
      'a further name by which it is reached, as through a proxy; repeatable',
      collect,
    )
    .action(async (flags: DashboardFlags) => {
      const { dashboardCommand } = await import('./dashboard-command.ts');
      setExitCode(await dashboardCommand(flags));
    });
  addStatsCommand(root, setExitCode);
  addGateCommands(root.command('gate').description('the valve before each provider'), setExitCode);
  addSchemaCommands(root.command('schema').description('JSON Schema files'), setExitCode);
  addBatchCommands(root.command('batch').description('extract from many documents'), setExitCode);
  for (const command of [...root.commands, ...root.commands.flatMap(({ commands }) => commands)]) {
    command.showHelpAfterError(`See: durable-extract ${pathOf(command)} --help`);
  }
  return root.showHelpAfterError('See: durable-extract --help');
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function addStatsCommand(root: Command, setExitCode: (code: number) => void): void {
  root
    .command('stats')
    .description('how much succeeded, what went wrong, what it cost; starts nothing')
    .option('--since <time>', '30m, 24h, 7d, or 2026-11-25T08:00:00Z')
    .option('--until <time>', 'as --since')
    .option('--schema <name>')
    .option('--model <model>', 'provider/model')
    .option('--batch <id>')
    .option('--json', 'print JSON')
    .action(async (flags: StatsFlags) => {
      const { statsCommand } = await import('./stats-command.ts');
      setExitCode(await statsCommand(flags));
    });
}

function addGateCommands(gate: Command, setExitCode: (code: number) => void): void {
  gate
    .command('status')
    .description('how the gates stand, or one of them; starts nothing')
    .argument('[provider]')
    .option('--json', 'print JSON')
    .action(async (provider: string | undefined, flags: GateFlags) => {
      const { gateStatusCommand } = await import('./gate/gate-commands.ts');
      setExitCode(await gateStatusCommand(provider, flags));
    });
  gate
    .command('trip')
    .description('make no further calls: documents wait')
    .argument('<provider>')
    .option('--reason <words>', 'why, for those who come after')
    .option('--for <time>', '90s, 10m, 2h (default: until it is reset)')
    .option('--json', 'print JSON')
    .action(async (provider: string, flags: GateFlags) => {
      const { gateTripCommand } = await import('./gate/gate-commands.ts');
      setExitCode(await gateTripCommand(provider, flags, onProgress));
    });
  gate
    .command('reset')
    .description('let calls through again')
    .argument('<provider>')
    .option('--reason <words>', 'why, for those who come after')
    .option('--json', 'print JSON')
    .action(async (provider: string, flags: GateFlags) => {
      const { gateResetCommand } = await import('./gate/gate-commands.ts');
      setExitCode(await gateResetCommand(provider, flags, onProgress));
    });
}

function addSchemaCommands(schema: Command, setExitCode: (code: number) => void): void {
  schema
    .command('check')
    .description(
      'in which modes a schema can be asked for, and what strict mode cannot express; starts nothing',
    )
    .argument('<file>', 'a JSON Schema file')
    .option('--json', 'print JSON')
    .action(async (file: string, flags: { readonly json?: true }) => {
      const { schemaCheckCommand } = await import('./schema/check.ts');
      setExitCode(schemaCheckCommand(file, flags));
    });
}

function addBatchCommands(batch: Command, setExitCode: (code: number) => void): void {
  batch
    .command('run')
    .description('start a batch, or join the one of the same id and input; then watch it')
    .argument('<input>', 'a .jsonl file, a .csv file, or a folder of texts')
    .option('--schema <name|file>', 'a registered schema, or a JSON Schema file (required)')
    .option('--id <id>', 'names the batch: the same command joins it after any crash (required)')
    .option('--concurrency <n>', 'documents in work at once (default 50)')
    .option('--model <model>', 'model, or provider/model')
    .option('--strategy <strategy>', 'basic, feedback or adaptive (default)')
    .option('--max-attempts <n>', 'answers that are judged, at most, for each document (default 3)')
    .option(
      '--models <models>',
      'asked in turn where the model makes the same mistake again, separated by commas',
    )
    .option('--transcript <what>', 'shown of earlier answers: last or full (default by strategy)')
    .option('--on-outage <what>', 'while the provider is down: wait (default) or fail')
    .option(
      '--on-exhausted <what>',
      'where the answers are wrong to the last: fail (default) or review, by a person',
    )
    .option(
      '--review-deadline <time>',
      'how long it waits for a person, such as 2h or 3d (default: as long as it takes)',
    )
    .option('--max-tokens <n>', 'what the whole batch may spend; then it is paused')
    .option('--max-cost-usd <x>', 'the same in US dollars')
    .option('--no-learn', 'do not warn documents of what often goes wrong in those before them')
    .option('--skip-bad-lines', 'record lines that cannot be used as failed documents, and go on')
    .option('--text-column <name>', "of a .csv file (default 'text')")
    .option('--id-column <name>', "of a .csv file (default 'id')")
    .option('--detach', 'start it and leave')
    .option('--json', 'print the status at the end as JSON')
    .action(async (input: string, flags: BatchRunFlags) => {
      const { runBatch } = await import('./batch/run.ts');
      setExitCode(await runBatch(input, flags, onProgress));
    });
  const changes = [
    ['watch', 'show a batch until it has ended', 'watchCommand'],
    ['pause', 'make no further calls', 'pauseCommand'],
    ['cancel', 'end it; what is done is kept', 'cancelCommand'],
    ['retry-failed', 'do the documents again that were not extracted', 'retryFailedCommand'],
  ] as const;
  for (const [name, description, command] of changes) {
    batch
      .command(name)
      .description(description)
      .argument('<id>')
      .option('--json', 'print the status as JSON')
      .action(async (id: string, flags: BatchFlags) => {
        const control = await import('./batch/control.ts');
        setExitCode(await control[command](id, flags, onProgress));
      });
  }
  batch
    .command('resume')
    .description('go on: after a pause, a cancellation, or a crash of everything')
    .argument('<id>')
    .option('--concurrency <n>', 'documents in work at once from now on; also of a batch that runs')
    .option('--max-tokens <n>', 'what the whole batch may spend from now on')
    .option('--max-cost-usd <x>', 'the same in US dollars')
    .option('--json', 'print the status as JSON')
    .action(async (id: string, flags: ResumeFlags) => {
      const { resumeCommand } = await import('./batch/control.ts');
      setExitCode(await resumeCommand(id, flags, onProgress));
    });
  batch
    .command('rejudge')
    .description('judge all answers again by another schema; ask only where none passes')
    .argument('<id>')
    .option('--schema <name|file>', 'the new schema (required)')
    .option('--json', 'print the status at the end as JSON')
    .action(async (id: string, flags: BatchFlags & { readonly schema?: string }) => {
      const { rejudgeCommand } = await import('./batch/control.ts');
      setExitCode(await rejudgeCommand(id, flags, onProgress));
    });
  batch
    .command('status')
    .description('where a batch stands; starts nothing')
    .argument('<id>')
    .option('--json', 'print JSON')
    .action(async (id: string, flags: BatchFlags) => {
      const { statusCommand } = await import('./batch/status.ts');
      setExitCode(await statusCommand(id, flags));
    });
  batch
    .command('list')
    .description('all batches; starts nothing')
    .option('--json', 'print JSON')
    .action(async (flags: BatchFlags) => {
      const { listCommand } = await import('./batch/status.ts');
      setExitCode(await listCommand(flags));
    });
  batch
    .command('review')
    .description('the documents that wait for a person; starts nothing')
    .argument('<id>')
    .option('--out <file>', 'write them as JSONL, to be put right for batch correct --from')
    .option('--json', 'print JSON')
    .action(async (id: string, flags: ReviewFlags) => {
      const { reviewCommand } = await import('./batch/review.ts');
      setExitCode(await reviewCommand(id, flags));
    });
  batch
    .command('correct')
    .description('enter data by hand for documents that were not extracted')
    .argument('<id>')
    .argument('[document]', 'the id of one document')
    .option('--data <json>', 'its data')
    .option('--from <file>', 'a JSONL file of {"id": …, "data": …}; all of it, or nothing')
    .option('--give-up', 'leave the document as it is')
    .option('--by <name>', 'who does it')
    .action(async (id: string, document: string | undefined, flags: BatchCorrectFlags) => {
      const { correctCommand } = await import('./batch/correct.ts');
      setExitCode(await correctCommand(id, document, flags));
    });
  batch
    .command('export')
    .description('write a line for each document, in input order; starts nothing')
    .argument('<id>')
    .option('--out <file>', 'where to; - for standard output (required)')
    .option('--format <format>', "jsonl or csv (default: by the file's ending)")
    .action(async (id: string, flags: ExportFlags) => {
      const { exportCommand } = await import('./batch/export.ts');
      setExitCode(await exportCommand(id, flags));
    });
}

function pathOf(command: Command): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : `${parent.name()} ${command.name()}`;
}

async function main(): Promise<number> {
  let exitCode: number = EXIT.done;
  try {
    await program((code) => {
      exitCode = code;
    }).parseAsync();
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.badInput;
    note(error instanceof Error ? error.message : String(error));
    if (process.env['DEBUG'] && error instanceof Error) note(String(error.stack));
    return exitCodeOf(error);
  }
}

// Whoever reads our output may stop reading: `… | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.done);
});
process.exitCode = await main();
