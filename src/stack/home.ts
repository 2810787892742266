import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { codeOf, messageOf } from './error-facts.ts';
import type { Environment } from './progress.ts';

/** Where everything of one embedded stack lies. Two homes share nothing but the Temporal CLI. */
export interface HomePaths {
  readonly home: string;
  /** What runs, see `state-file.ts`. */
  readonly stateFile: string;
  /** Held while processes are started or ended. */
  readonly lockFile: string;
  /** The Temporal server's SQLite file: all histories. */
  readonly databaseFile: string;
  /** The store's SQLite file: documents, answers, outcomes. */
  readonly storeFile: string;
  readonly logFolder: string;
  /** Files by which processes say that they are ready. */
  readonly runFolder: string;
}

/** The home folder: `DURABLE_EXTRACT_HOME`, or `.durable-extract` in the working folder; always absolute. */
export function stackHome(options: { readonly env: Environment; readonly cwd?: string }): string {
  return resolve(options.cwd ?? process.cwd(), options.env['DURABLE_EXTRACT_HOME'] || '.durable-extract');
}

/** The paths inside a home. Creates nothing. */
export function homePaths(home: string): HomePaths {
  const absolute = resolve(home);
  return {
    home: absolute,
    stateFile: join(absolute, 'stack.json'),
    lockFile: join(absolute, 'stack.lock'),
    databaseFile: join(absolute, 'temporal.db'),
    storeFile: join(absolute, 'store.db'),
    logFolder: join(absolute, 'logs'),
    runFolder: join(absolute, 'run'),
  };
}

/**
 * Creates the home and its folders where they are missing. It holds documents and answers, so only its
 * owner may read it, and a `.gitignore` keeps it out of commits.
 *
 * @throws where the folder cannot be made (a file in its place, no rights, disk full).
 */
export function prepareHome(home: string): HomePaths {
  const paths = homePaths(home);
  try {
    mkdirSync(paths.home, { recursive: true, mode: 0o700 });
    mkdirSync(paths.logFolder, { recursive: true, mode: 0o700 });
    mkdirSync(paths.runFolder, { recursive: true, mode: 0o700 });
    writeOnce(join(paths.home, '.gitignore'), '*\n');
  } catch (error) {
    throw new Error(
      `Cannot prepare the home folder ${paths.home}: ${messageOf(error)}. ` +
        'Expected a folder that can be created and written to. Set DURABLE_EXTRACT_HOME to one.',
      { cause: error },
    );
  }
  return paths;
}

function writeOnce(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}
