import { barTable, timeline } from '../charts.js';
import { h } from '../dom.js';
import { filterForm } from '../filters.js';
import { counted, dollars, duration, grouped, percent } from '../format.js';
import { address, figure } from '../parts.js';

/** @import { OverviewData } from '../../data.ts' */
/** @import { ProblemCount, Stats } from '../../../core/stats.ts' */

const ERRORS_SHOWN = 15;

/** How it goes, and what goes wrong. */
export const overview = {
  title: () => 'Overview',
  data: 'overview',
  /**
   * @param {OverviewData} data
   * @param {URLSearchParams} parameters
   */
  render: ({ stats }, parameters) => [
    h('h1', {}, 'Overview'),
    filterForm(stats.known, parameters, 'day'),
    stats.extractions === 0 && stats.calls === 0 ? nothing(stats.known) : sections(stats, parameters),
  ],
};

/** @param {Stats['known']} known */
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
 * @param {Stats} stats
 * @param {URLSearchParams} parameters
 */
function sections(stats, parameters) {
  return [
    figures(stats),
    h(
      'div',
      { class: 'columns' },
      panel('How many attempts it took', histogram(stats)),
      panel('What a further attempt is worth', byAttempt(stats)),
    ),
    panel('Common errors', commonErrors(stats.errors, parameters)),
    panel('Provider failures over time', providerFailures(stats)),
  ];
}

/**
 * @param {string} title
 * @param {import('../dom.js').Child} content
 */
function panel(title, content) {
  const id = title.toLowerCase().replaceAll(' ', '-');
  return h('section', { class: 'panel', 'aria-labelledby': id }, h('h2', { id }, title), content);
}

/** @param {Stats} stats */
function figures({
  extractions,
  succeeded,
  averageAttempts,
  calls,
  wastedCalls,
  costUsd,
  latency,
  ...stats
}) {
  const { promptTokens, completionTokens } = stats;
  return h(
    'dl',
    { class: 'figures' },
    figure('Success rate', percent(stats.successRate), `${grouped(succeeded)} of ${grouped(extractions)}`),
    figure(
      'Attempts on average',
      averageAttempts === null ? '–' : averageAttempts.toFixed(2),
      'for each extraction',
    ),
    figure('First-try rate', percent(stats.firstTryRate), 'extracted with one answer'),
    figure('Calls', grouped(calls), 'failed ones too'),
    figure('Wasted', percent(stats.wastedShare), `${counted(wastedCalls, 'call')} brought nothing to keep`),
    figure(
      'Tokens',
      grouped(promptTokens + completionTokens),
      `${grouped(promptTokens)} in, ${grouped(completionTokens)} out`,
    ),
    figure(
      'Cost',
      costUsd === null ? '–' : dollars(costUsd),
      costUsd === null ? 'some price is not known' : `${dollars(costUsd / Math.max(1, extractions))} each`,
    ),
    figure(
      'Latency',
      latency.p50Ms === null ? '–' : duration(latency.p50Ms),
      latency.p95Ms !== null && `median; p95 ${duration(latency.p95Ms)}`,
    ),
  );
}

/** @param {Stats} stats */
function histogram({ attemptsHistogram, extractions }) {
  return barTable({
    caption: 'Extractions by the number of their attempts',
    columns: ['Attempts', 'Extractions', 'Share'],
    most: Math.max(0, ...attemptsHistogram.map((column) => column.extractions)),
    tone: 'accent',
    rows: attemptsHistogram.map((column) => ({
      label: String(column.attempts),
      value: column.extractions,
      text: grouped(column.extractions),
      more: percent(column.extractions / Math.max(1, extractions)),
    })),
  });
}

/** @param {Stats} stats */
function byAttempt({ successByAttempt }) {
  return barTable({
    caption: 'Share of answers that were accepted, by attempt',
    columns: ['Attempt', 'Accepted', 'Of answers'],
    most: 1,
    tone: 'good',
    rows: successByAttempt.map(({ attempt, accepted, answers, share }) => ({
      label: String(attempt),
      value: share,
      text: percent(share),
      more: `${grouped(accepted)} of ${grouped(answers)}`,
    })),
  });
}

/**
 * @param {Stats['errors']} errors
 * @param {URLSearchParams} parameters
 */
function commonErrors(errors, parameters) {
  if (errors.length === 0) return h('p', { class: 'muted' }, 'No answer was rejected.');
  const names = ['What', 'Field', 'Count', 'Look at'];
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
          names.map((name) => h('th', { scope: 'col', class: name === 'Count' && 'number' }, name)),
        ),
      ),
      h(
        'tbody',
        {},
        errors.slice(0, ERRORS_SHOWN).map((error) => errorRow(error, parameters)),
      ),
    ),
  );
}

/**
 * @param {ProblemCount} error
 * @param {URLSearchParams} parameters
 */
function errorRow({ kind, path, count, example }, parameters) {
  const what = kind.replaceAll('_', ' ');
  const where = path === '' ? 'the whole answer' : path;
  const all = { since: 'day', ...Object.fromEntries(parameters), kind, path: path || null };
  return h(
    'tr',
    { 'data-key': `${kind} ${path}` },
    h('td', {}, what, example?.message && h('div', { class: 'muted' }, example.message)),
    h('td', {}, path === '' ? where : h('code', {}, where)),
    h('td', { class: 'number' }, grouped(count)),
    h(
      'td',
      {},
      example && [
        h(
          'a',
          {
            href: address('/extraction', { batch: example.batch || null, id: example.document }),
            'aria-label': `An example of ${what}, ${where}`,
          },
          'an example',
        ),
        ', ',
      ],
      h('a', { href: address('/extractions', all), 'aria-label': `All with ${what}, ${where}` }, 'all'),
    ),
  );
}

/** @param {Stats} stats */
function providerFailures({ providerFailures: types, overTime: { spanMs, spans } }) {
  const failing = spans.filter((span) => span.providerFailures > 0);
  const [first] = spans;
  if (failing.length === 0 || first === undefined) return h('p', { class: 'muted' }, 'No call failed.');
  return timeline({
    name: 'Provider failures over time',
    from: Date.parse(first.at),
    to: Date.parse((spans.at(-1) ?? first).at) + spanMs,
    columnMs: spanMs,
    kinds: types.map(({ type }) => type),
    columns: failing.map(({ at, failuresByType }) => ({
      at: Date.parse(at),
      counts: Object.fromEntries(failuresByType.map(({ type, count }) => [type, count])),
    })),
  });
}
