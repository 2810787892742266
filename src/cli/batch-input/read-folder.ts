import { readFile, readdir, stat } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { cut, documentOf } from '../../core/batch-input.ts';
import type { InputContent, InputEntry } from '../../core/batch-input.ts';
import { messageOf } from '../../stack/error-facts.ts';
import { UsageError } from '../exit-codes.ts';
import { decodeUtf8 } from './decode-utf8.ts';
import { MAX_ENTRY_BYTES } from './max-entry-bytes.ts';

const MAX_REASON_LENGTH = 200;

/**
 * The files below a folder, one document each: its id is the path below the folder, with `/`, and the order is that of
 * the ids' code points. Hidden files and folders are skipped. Links to files are followed; links to folders are not, so
 * that none leads back. A file or a folder below that cannot be read is a bad entry.
 *
 * @throws {UsageError} where the folder itself cannot be listed.
 */
export async function* readFolder(folder: string): AsyncGenerator<InputEntry> {
  for await (const found of filesBelow(folder, '')) {
    const content = 'bad' in found ? { bad: found.bad } : await contentOf(found.id, join(folder, found.id));
    yield { place: placeOf(found.id), ...content };
  }
}

/** A file, or a folder that cannot be listed. */
type Found = { readonly id: string } | { readonly id: string; readonly bad: string };

async function* filesBelow(root: string, below: string): AsyncGenerator<Found> {
  let entries: Dirent[];
  try {
    entries = await readdir(join(root, below), { withFileTypes: true });
  } catch (error) {
    if (below === '') {
      throw new UsageError(
        `INPUT: expected a folder that can be listed, got '${root}': ${messageOf(error)}. Check its permissions.`,
      );
    }
    yield { id: below, bad: `expected a folder that can be listed, got: ${reason(error)}` };
    return;
  }
  for (const { id, isFolder } of ordered(entries)) {
    if (isFolder) yield* filesBelow(root, `${below}${id}`);
    else if (await isText(join(root, below, id))) yield { id: `${below}${id}` };
  }
}

/** With `/` after a folder's name, in the order of their names: so all files come in the order of their paths. */
function ordered(entries: readonly Dirent[]): readonly { readonly id: string; readonly isFolder: boolean }[] {
  return entries
    .filter(
      (entry) =>
        !entry.name.startsWith('.') && (entry.isDirectory() || entry.isFile() || entry.isSymbolicLink()),
    )
    .map((entry) => {
      const isFolder = entry.isDirectory();
      const id = isFolder ? `${entry.name}/` : entry.name;
      // The order of UTF-8 is that of code points, which JavaScript's is not.
      return { id, isFolder, key: Buffer.from(id) };
    })
    .toSorted((a, b) => Buffer.compare(a.key, b.key));
}

/** Whether it is a regular file, or a link to one. A link that leads nowhere is taken for one, and found unreadable. */
async function isText(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return true;
  }
}

async function contentOf(id: string, path: string): Promise<InputContent> {
  let bytes: Buffer;
  try {
    const { size } = await stat(path);
    if (size > MAX_ENTRY_BYTES) return { bad: `expected a file of at most 64 MB, got ${size} bytes` };
    bytes = await readFile(path);
  } catch (error) {
    return { bad: `expected a file that can be read, got: ${reason(error)}` };
  }
  const text = decodeUtf8(bytes);
  return text === undefined
    ? { bad: 'expected text in UTF-8, got other bytes' }
    : documentOf({ id, text, metadata: {} });
}

/** The id, as long as it is one line. */
function placeOf(id: string): string {
  return /\p{Cc}/u.test(id) ? JSON.stringify(id) : id;
}

function reason(error: unknown): string {
  return cut(messageOf(error), MAX_REASON_LENGTH);
}
