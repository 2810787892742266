import { barTable, timeline } from '../charts.js';
import { h } from '../dom.js';
import { filterForm } from '../filters.js';
import { counted, dollars, duration, grouped, percent } from '../format.js';
import { address, figure } from '../parts.js';

/** @import { OverviewData } from '../../data.ts' */
/** @import { CommonError, Figures } from '../../../core/figures.ts' */

/** How it goes, and what goes wrong. */
export const overview = {
  title: () => 'Overview',
  data: 'overview',
  /**
   * @param {OverviewData} data
   * @param {URLSearchParams} parameters
   */
  render: ({ figures, choices }, parameters) => [
    h('h1', {}, 'Overview'),
    filterForm(choices, parameters, 'day'),
    figures.extractions === 0 && figures.calls === 0 ? nothing(choices) : sections(figures, parameters),
  ],
};

/** @param {OverviewData['choices']} choices */
function nothing({ schemas }) {
  if (schemas.length > 0)
    return h(
      'p',
      { class: 'notice' },
      'There is no extraction in this time, or none that is meant. ',
      h('a', { href: '/?since=all' }, 'Look at all that there is'),
    );
  return h(
    'p',
    { class: 'notice' },
    'Nothing has been extracted yet. Try: ',
    h('code', {}, "durable-extract extract 'Ada Lovelace, ada@example.org' --schema user"),
  );
}

/**
 * @param {Figures} figures
 * @param {URLSearchParams} parameters
 */
function sections(figures, parameters) {
  const { extractions, succeeded, averageAttempts, firstTry, calls, wastedCalls, costUsd } = figures;
  const tokens = figures.promptTokens + figures.completionTokens;
  return [
    h(
      'dl',
      { class: 'figures' },
      figure(
        'Success rate',
        percent(extractions === 0 ? null : succeeded / extractions),
        `${grouped(succeeded)} of ${grouped(extractions)}`,
      ),
      figure(
        'Attempts on average',
        averageAttempts === null ? '–' : averageAttempts.toFixed(2),
        'for each extraction',
      ),
      figure(
        'First-try rate',
        percent(extractions === 0 ? null : firstTry / extractions),
        `${grouped(firstTry)} with one answer`,
      ),
      figure('Calls', grouped(calls), 'failed ones too'),
      figure(
        'Wasted',
        percent(calls === 0 ? null : wastedCalls / calls),
        `${counted(wastedCalls, 'rejected answer')}`,
      ),
      figure(
        'Tokens',
        grouped(tokens),
        `${grouped(figures.promptTokens)} in, ${grouped(figures.completionTokens)} out`,
      ),
      figure(
        'Cost',
        dollars(costUsd),
        costUsd === null || extractions === 0
          ? 'of some model, the price is not known'
          : `${dollars(costUsd / extractions)} each`,
      ),
      figure(
        'Latency',
        figures.latencyP50Ms === null ? '–' : `${duration(figures.latencyP50Ms)}`,
        figures.latencyP95Ms === null ? '' : `median; p95 ${duration(figures.latencyP95Ms)}`,
      ),
    ),
    h(
      'div',
      { class: 'columns' },
      h(
        'section',
        { class: 'panel', 'aria-labelledby': 'histogram' },
        h('h2', { id: 'histogram' }, 'How many attempts it took'),
        histogram(figures),
      ),
      h(
        'section',
        { class: 'panel', 'aria-labelledby': 'by-attempt' },
        h('h2', { id: 'by-attempt' }, 'What a further attempt is worth'),
        byAttempt(figures),
      ),
    ),
    h(
      'section',
      { class: 'panel', 'aria-labelledby': 'errors' },
      h('h2', { id: 'errors' }, 'Common errors'),
      commonErrors(figures.errors, parameters),
    ),
    h(
      'section',
      { class: 'panel', 'aria-labelledby': 'failures' },
      h('h2', { id: 'failures' }, 'Provider failures over time'),
      providerFailures(figures),
    ),
  ];
}

/** @param {Figures} figures */
function histogram({ histogram: columns, extractions }) {
  const most = Math.max(0, ...columns.map((column) => column.extractions));
  return barTable({
    caption: 'Extractions by the number of their attempts',
    columns: ['Attempts', 'Extractions', 'Share'],
    most,
    tone: 'accent',
    rows: columns.map((column) => ({
      label: String(column.attempts),
      value: column.extractions,
      text: grouped(column.extractions),
      more: percent(column.extractions / Math.max(1, extractions)),
    })),
  });
}

/** @param {Figures} figures */
function byAttempt({ byAttempt: attempts }) {
  return barTable({
    caption: 'Share of answers that were accepted, by attempt',
    columns: ['Attempt', 'Accepted', 'Of answers'],
    most: 1,
    tone: 'good',
    rows: attempts.map(({ attempt, accepted, judged }) => ({
      label: String(attempt),
      value: accepted / judged,
      text: percent(accepted / judged),
      more: `${grouped(accepted)} of ${grouped(judged)}`,
    })),
  });
}

/**
 * @param {readonly CommonError[]} errors
 * @param {URLSearchParams} parameters
 */
function commonErrors(errors, parameters) {
  if (errors.length === 0) return h('p', { class: 'muted' }, 'No answer was rejected.');
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Common errors' },
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, 'What'),
          h('th', { scope: 'col' }, 'Field'),
          h('th', { scope: 'col', class: 'number' }, 'Count'),
          h('th', { scope: 'col' }, 'Look at'),
        ),
      ),
      h(
        'tbody',
        {},
        errors.map((error) => errorRow(error, parameters)),
      ),
    ),
  );
}

/**
 * @param {CommonError} error
 * @param {URLSearchParams} parameters
 */
function errorRow({ type, kind, path, message, count, example }, parameters) {
  const what = (kind ?? type).replaceAll('_', ' ');
  const where = path === null ? 'the answer' : path === '' ? 'the whole record' : path;
  const { batchId, documentId } = example;
  const all = {
    since: parameters.get('since') ?? 'day',
    schema: parameters.get('schema'),
    model: parameters.get('model'),
    batch: parameters.get('batch'),
    problem: type,
    kind,
    path,
  };
  return h(
    'tr',
    { 'data-key': `${type} ${kind} ${path}` },
    h('td', {}, what, h('div', { class: 'muted' }, message)),
    h('td', {}, path === null ? where : h('code', {}, where)),
    h('td', { class: 'number' }, grouped(count)),
    h(
      'td',
      {},
      h(
        'a',
        {
          href: address('/extraction', { batch: batchId === '' ? null : batchId, id: documentId }),
          'aria-label': `An example of ${what}, ${where}`,
        },
        'an example',
      ),
      ', ',
      h('a', { href: address('/extractions', all), 'aria-label': `All with ${what}, ${where}` }, 'all'),
    ),
  );
}

/** @param {Figures} figures */
function providerFailures({ failures }) {
  if (failures.columns.length === 0) return h('p', { class: 'muted' }, 'No call failed.');
  return timeline({
    name: 'Provider failures over time',
    ...failures,
    kinds: failures.types.map(({ type }) => type),
  });
}
