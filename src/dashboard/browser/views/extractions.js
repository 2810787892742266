import { h } from '../dom.js';
import { chooser, filterForm } from '../filters.js';
import { grouped, time } from '../format.js';
import { address, badge } from '../parts.js';

/** @import { ExtractionsData } from '../../data.ts' */

const OUTCOMES = /** @type {const} */ ([
  ['', 'any'],
  ['succeeded', 'extracted'],
  ['failed', 'failed'],
]);

/** Those that have ended, newest first. */
export const extractions = {
  title: () => 'Extractions',
  data: 'extractions',
  /**
   * @param {ExtractionsData} data
   * @param {URLSearchParams} parameters
   */
  render: ({ extractions: all, known, next }, parameters) => [
    h('h1', {}, 'Extractions'),
    filterForm(known, parameters, 'all', chooser('outcome', 'Outcome', OUTCOMES, parameters.get('outcome'))),
    problemNotice(parameters),
    all.length === 0
      ? h(
          'p',
          { class: 'notice' },
          'No extraction that has ended is meant by this. ',
          h('a', { href: '/extractions' }, 'Look at all'),
        )
      : table(all),
    h(
      'p',
      { class: 'links' },
      parameters.has('after') && h('a', { href: pageAddress(null, parameters) }, 'The newest'),
      next !== null && h('a', { href: pageAddress(next, parameters) }, 'Older'),
    ),
  ],
};

/** @param {URLSearchParams} parameters */
function problemNotice(parameters) {
  const kind = parameters.get('kind');
  if (kind === null) return null;
  const path = parameters.get('path');
  const what = kind.replaceAll('_', ' ');
  return h(
    'p',
    { class: 'notice' },
    'Those with an answer that had the problem ',
    h('strong', {}, what),
    path ? [' in ', h('code', {}, path)] : null,
    '. ',
    h('a', { href: '/extractions' }, 'Look at all'),
  );
}

/** @param {ExtractionsData['extractions']} all */
function table(all) {
  return h(
    'div',
    { class: 'panel scroll wide', tabindex: 0, role: 'region', 'aria-label': 'Extractions' },
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ['Document', 'Outcome', 'Attempts', 'Batch', 'Schema', 'Model', 'Ended'].map((name) =>
            h('th', { scope: 'col', class: name === 'Attempts' && 'number' }, name),
          ),
        ),
      ),
      h(
        'tbody',
        {},
        all.map(({ batch, document: id, success, stopped, attempts, schema, model, finishedAt }) =>
          h(
            'tr',
            { 'data-key': `${batch} ${id}` },
            h(
              'th',
              { scope: 'row' },
              h('a', { href: address('/extraction', { batch: batch || null, id }) }, id),
            ),
            h('td', {}, success ? badge('extracted', 'good') : badge(stopped ?? 'failed', 'bad')),
            h('td', { class: 'number' }, grouped(attempts)),
            h('td', {}, batch === '' ? '–' : h('a', { href: address('/batch', { id: batch }) }, batch)),
            h('td', {}, schema),
            h('td', {}, model),
            h('td', {}, time(finishedAt)),
          ),
        ),
      ),
    ),
  );
}

/**
 * @param {string | null} after
 * @param {URLSearchParams} parameters
 */
function pageAddress(after, parameters) {
  return address('/extractions', { ...Object.fromEntries(parameters), after });
}
