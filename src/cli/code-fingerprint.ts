import { globSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fingerprintOf } from '../stack/managed-process.ts';

const EXTENSION = extname(import.meta.url);
/** The checkout, or the package's `dist`. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PACKAGE = join(ROOT, EXTENSION === '.ts' ? '.' : '..', 'package.json');

/** The dashboard reads them once. */
const BROWSER_FILES = 'src/dashboard/browser/**/*.{css,html,js,svg}';

/**
 * Of the code that runs here: another one after an upgrade, a pull or an edit, so that no process goes on with code that
 * is not there any more. By sizes and times, since every command asks.
 */
export function codeFingerprint(): string {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { readonly version: string };
  const folders = ['src', 'workflows', 'activities', 'examples/schemas'];
  const files = globSync([...folders.map(sourcesIn), BROWSER_FILES], { cwd: ROOT });
  return fingerprintOf([
    ROOT,
    version,
    process.version,
    ...files.toSorted().map((file) => fileStamp(join(ROOT, file))),
  ]);
}

/** Of one file that the code loads; null where there is none. */
export function fileStamp(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? null : `${path} ${stat.size} ${stat.mtimeMs}`;
}

function sourcesIn(folder: string): string {
  return `${folder}/**/*${EXTENSION}`;
}
