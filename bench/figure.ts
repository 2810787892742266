import type { DurableExtract } from '../src/client/index.ts';

/** What a figure is measured on: an embedded stack that has nothing else to do. */
export interface Bench {
  readonly extractor: DurableExtract;
  readonly address: string;
  /** Of the simulated provider, which answers at once. */
  readonly providerUrl: string;
  /** How often each thing is measured. */
  readonly samples: number;
}

/** One line of what `npm run bench` prints. */
export interface Row {
  readonly what: string;
  readonly figure: string;
  readonly details?: string;
}

/** One thing worth knowing. A file each in `bench/figures`; nothing in it passes or fails. */
export interface Figure {
  readonly title: string;
  measure(bench: Bench): Promise<readonly Row[]>;
}
