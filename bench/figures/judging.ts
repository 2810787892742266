import { asJsonSchema } from '../../activities/world.ts';
import { exampleSchemas } from '../../examples/schemas/index.ts';
import { compileSchema } from '../../src/core/compile-schema.ts';
import { feedbackMessage } from '../../src/core/feedback.ts';
import { judge } from '../../src/core/judge.ts';
import type { Figure, Row } from '../figure.ts';

const MEASURED_MS = 1_000;
const WARM_UP_MS = 200;

const schema = compileSchema(asJsonSchema(exampleSchemas['order']!));
const order = {
  order_id: 'A-1042',
  customer_name: 'Grace Hopper',
  customer_email: 'grace@example.org',
  order_date: '2026-03-14',
  items: [
    { name: 'Oak desk', quantity: 1, price: 249.5 },
    { name: 'Desk lamp', quantity: 2, price: 39.95 },
    { name: 'Cable tray', quantity: 4, price: 12 },
  ],
  total: 377.4,
  currency: 'EUR',
};
const good = JSON.stringify(order);
const dirty = `Here is the order:\n\`\`\`json\n${JSON.stringify(order, null, 2).replaceAll('"', "'")},\n\`\`\``;
const wrong = JSON.stringify({
  ...order,
  items: [{ name: 'Oak desk', qty: 1, price: 'ten' }],
  total: undefined,
});

/** What the core costs on its own: it runs beside every model call of a worker. */
export const judging: Figure = {
  title: 'Answers judged, one core, an order with three positions',
  measure: async () => [
    row('valid as it is', good),
    row('fenced, in prose, single quotes: repaired', dirty),
    row('wrong in three fields: rejected, with its feedback', wrong),
  ],
};

function row(what: string, text: string): Row {
  const judgeOnce = (): void => {
    const verdict = judge({ text, finish: 'stop' }, schema, { coerce: true });
    if (verdict.status === 'rejected') feedbackMessage(verdict.problem);
  };
  perSecond(judgeOnce, WARM_UP_MS);
  const rate = perSecond(judgeOnce, MEASURED_MS);
  return {
    what,
    figure: `${Math.round(rate).toLocaleString('en')} a second`,
    details: `${text.length} characters`,
  };
}

function perSecond(action: () => void, durationMs: number): number {
  const startedAt = performance.now();
  let count = 0;
  let elapsedMs = 0;
  while (elapsedMs < durationMs) {
    for (let i = 0; i < 50; i += 1) action();
    count += 50;
    elapsedMs = performance.now() - startedAt;
  }
  return (count / elapsedMs) * 1_000;
}
