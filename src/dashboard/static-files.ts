import { readFileSync, readdirSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NotFoundError } from './request-errors.ts';

const FOLDER = fileURLToPath(new URL('browser/', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** What the browser runs and shows. */
export interface StaticFiles {
  /** Sends the file of that name in the `browser` folder. @throws {NotFoundError} */
  send(response: ServerResponse, name: string): void;
}

/** Reads them all: what is not among them now is never served. */
export function loadStaticFiles(): StaticFiles {
  const names = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter(
    (name) => extname(name) in TYPES,
  );
  const files = new Map(names.map((name) => [name.replaceAll('\\', '/'), readFileSync(`${FOLDER}${name}`)]));
  return {
    send(response, name) {
      const file = files.get(name);
      if (file === undefined) throw new NotFoundError(`There is no file ${JSON.stringify(name)}.`);
      response.writeHead(200, { 'content-type': TYPES[extname(name)] });
      response.end(file);
    },
  };
}
