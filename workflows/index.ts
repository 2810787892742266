/** All that a worker registers, and nothing else. */
export { batch } from './batch.ts';
export { complete } from './complete.ts';
export { extract } from './extract.ts';
export { gate } from './gate.ts';
export { shard } from './shard.ts';
