import { Command, CommanderError } from 'commander';
import type { OnProgress } from '../stack/progress.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import type { ExtractFlags } from './extract-command.ts';
import { note } from './output.ts';
import type { StackFlags } from './stack-commands.ts';

const onProgress: OnProgress = ({ message }) => note(message);

/** Commands are loaded when they are used: a worker's modules take half a second, which `--help` need not wait for. */
function program(setExitCode: (code: number) => void): Command {
  const root = new Command('durable-extract')
    .description('Structured data out of language models, durably.')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 internal fault, 2 wrong usage or bad input, 3 not extracted.\n' +
        'Without OPENAI_API_KEY a simulated provider answers, and everything printed says so.\n\n' +
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
    .option('--id <id>', 'names the extraction: the same id twice is one extraction')
    .option('--json', 'print the whole outcome')
    .action(async (text: string | undefined, flags: ExtractFlags) => {
      const { extractCommand } = await import('./extract-command.ts');
      setExitCode(await extractCommand(text, flags, onProgress));
    });
  root
    .command('up')
    .description('start the Temporal server, the worker and, without a key, the simulated provider')
    .option('--json', 'print JSON')
    .action(async (flags: StackFlags) => {
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
    .action(async () => {
      const { workerCommand } = await import('./worker-command.ts');
      setExitCode(await workerCommand(onProgress));
    });
  for (const command of root.commands) {
    command.showHelpAfterError(`See: durable-extract ${command.name()} --help`);
  }
  return root.showHelpAfterError('See: durable-extract --help');
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
