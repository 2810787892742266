import { withBatchStack } from '../batch-stack.ts';
import type { BatchStack } from '../batch-stack.ts';
import { documentsWithGaps, mixedDocuments } from '../documents.ts';
import type { KnownDocument } from '../documents.ts';
import type { Figure, Row } from '../figure.ts';
import { added, recover, tokensOf } from '../recovery.ts';
import type { Recovery } from '../recovery.ts';
import type { FaultRates } from '../../src/provider/simulated.ts';

const DOCUMENTS = 500;
const STRATEGIES = ['basic', 'feedback', 'adaptive'] as const;
/** Of a long order's answer about half. */
const SHORT_OUTPUT_TOKENS = 2_048;

/** One way for a model or its server to fail. */
interface Hardship {
  readonly name: string;
  readonly faults?: FaultRates;
  /** Options of the provider. */
  readonly provider?: readonly string[];
  readonly documents?: readonly KnownDocument[];
}

const HARDSHIPS: readonly Hardship[] = [
  { name: 'none' },
  { name: 'no JSON', faults: { json_garbage: 0.4 } },
  {
    name: 'wrong fields',
    faults: { missing: 0.1, wrong_type: 0.15, unknown_field: 0.05, constraint: 0.1, several: 0.3 },
  },
  { name: 'stubborn', faults: { missing: 0.1, wrong_type: 0.2, constraint: 0.1, anchored: 1 } },
  { name: 'unless warned', faults: { unless_warned: 0.4 } },
  { name: 'refused', faults: { refused: 0.4 } },
  { name: 'refused, and kept to', faults: { refused: 0.4, anchored: 1 } },
  { name: 'not in the text', faults: { absent: 1 }, documents: documentsWithGaps(DOCUMENTS) },
  { name: 'cut at a default', provider: [`--default-output-tokens=${SHORT_OUTPUT_TOKENS}`] },
  { name: "cut at the model's limit", provider: [`--most-output-tokens=${SHORT_OUTPUT_TOKENS}`] },
  { name: 'modes not taken', provider: ['--rejected-modes=json_schema,tool'] },
];

type Results = Readonly<Record<(typeof STRATEGIES)[number], Recovery>>;

/** The three strategies beside each other, on the same documents with the same faults. */
export const adaptive: Figure = {
  title: `Strategies: basic, feedback, adaptive; ${DOCUMENTS} documents, a fifth of them long orders; defaults (3 attempts)`,
  async measure() {
    const rows: Row[] = [];
    const all: Results[] = [];
    for (const provider of new Set(HARDSHIPS.map((hardship) => hardship.provider))) {
      const alike = HARDSHIPS.filter((hardship) => hardship.provider === provider);
      await withBatchStack({ provider: provider ?? [] }, async (stack) => {
        for (const hardship of alike) {
          const results = await compared(stack, hardship);
          rows.push(...rowsOf(hardship.name, results));
          if (hardship.name === 'none') rows.push(cleanRow(results));
          all.push(results);
          process.stderr.write(`${hardship.name}: ${JSON.stringify(results)}\n`);
        }
      });
    }
    return [...rows, ...rowsOf('all', all.reduce(summed))];
  },
};

async function compared(
  stack: BatchStack,
  { name, faults = {}, documents = mixedDocuments(DOCUMENTS) }: Hardship,
): Promise<Results> {
  await stack.setFaults(faults);
  const id = name.replaceAll(/\W+/g, '-');
  return {
    basic: await recover(stack, documents, { id: `${id}-basic`, strategy: 'basic' }),
    feedback: await recover(stack, documents, { id: `${id}-feedback`, strategy: 'feedback' }),
    adaptive: await recover(stack, documents, { id: `${id}-adaptive`, strategy: 'adaptive' }),
  };
}

function summed(one: Results, other: Results): Results {
  return {
    basic: added(one.basic, other.basic),
    feedback: added(one.feedback, other.feedback),
    adaptive: added(one.adaptive, other.adaptive),
  };
}

function rowsOf(name: string, results: Results): readonly Row[] {
  const rows = STRATEGIES.map((strategy) => {
    const { documents, recovered, correct, calls } = results[strategy];
    const valid = Math.max(1, recovered);
    const tokens = Math.round(tokensOf(results[strategy]) / valid).toLocaleString('en');
    return {
      what: `${name}: ${strategy}`,
      figure: `${percent(recovered, documents)} recovered`,
      details: `${percent(correct, documents)} correct; for each valid answer ${(calls / valid).toFixed(2)} calls, ${tokens} tokens`,
    };
  });
  return [...rows, ratioRow(name, results)];
}

function ratioRow(name: string, { adaptive: one, feedback: other }: Results): Row {
  const more = one.recovered - other.recovered;
  return {
    what: `${name}: adaptive / feedback`,
    figure: `${(tokensOf(one) / tokensOf(other)).toFixed(2)} of the tokens`,
    details: `${more < 0 ? '' : '+'}${more} documents recovered; aim: not fewer${name === 'all' ? ', and 0.75' : ''}`,
  };
}

function cleanRow({ basic, adaptive: one }: Results): Row {
  return {
    what: 'none: adaptive - basic',
    figure: `${tokensOf(one) - tokensOf(basic)} tokens`,
    details: `of ${tokensOf(basic).toLocaleString('en')}; aim: 0`,
  };
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}
