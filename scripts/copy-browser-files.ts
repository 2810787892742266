/** Puts what the dashboard's pages are made of beside the built server: part of `npm run build`. */
import { cpSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = 'src/dashboard/browser';
const root = fileURLToPath(new URL('../', import.meta.url));

cpSync(`${root}${FOLDER}`, `${root}dist/${FOLDER}`, {
  recursive: true,
  filter: (path) => extname(path) !== '.json',
});
