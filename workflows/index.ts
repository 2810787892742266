/** All that a worker registers, and nothing else. */
export { complete } from './complete.ts';
export { extract } from './extract.ts';
