// Makes sure that a stack runs in the given home.
import { ensureStack } from '../../../src/stack/stack.ts';

const home = process.argv[2] ?? '';
const state = await ensureStack({
  home,
  env: process.env,
  onProgress: ({ message }) => console.error(message),
});
console.log(JSON.stringify(state));
