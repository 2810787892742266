import { correctionForm } from '../correction.js';
import { h } from '../dom.js';
import { counted, time } from '../format.js';
import { address, factList } from '../parts.js';

/** @import { ReviewData, ReviewsData } from '../../data.ts' */

/** What waits for a person. */
export const reviews = {
  title: () => 'Review',
  data: 'review',
  /** @param {ReviewsData} data */
  render: ({ waiting, hasMore }) => [
    h('h1', {}, 'Review'),
    h(
      'p',
      { class: 'muted' },
      'What no model managed, and a person can: extractions that were started with ',
      h('code', {}, '--on-exhausted review'),
      '.',
    ),
    waiting.length === 0 ? h('p', { class: 'notice' }, 'Nothing waits for you.') : table(waiting),
    hasMore && h('p', { class: 'muted' }, 'More wait: they are listed as these are done.'),
  ],
};

/** @param {ReviewsData['waiting']} waiting */
function table(waiting) {
  return h(
    'div',
    { class: 'panel scroll wide', tabindex: 0, role: 'region', 'aria-label': 'What waits' },
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ['Document', 'Batch', 'Schema', 'Why', 'Problems', 'Waits until'].map((name) =>
            h('th', { scope: 'col' }, name),
          ),
        ),
      ),
      h(
        'tbody',
        {},
        waiting.map(({ batch, id, schema, stopped, problems, until }) =>
          h(
            'tr',
            { 'data-key': `${batch} ${id}` },
            h(
              'th',
              { scope: 'row' },
              h('a', { href: address('/correct', { batch: batch || null, id }) }, id),
            ),
            h('td', {}, batch === '' ? '–' : batch),
            h('td', {}, schema),
            h('td', {}, stopped),
            h('td', {}, counted(problems, 'problem')),
            h('td', {}, until === null ? 'it is done' : time(until)),
          ),
        ),
      ),
    ),
  );
}

/** One of them: its text, what the model made of it, and a form for what is right. */
export const correct = {
  /** @param {URLSearchParams} parameters */
  title: (parameters) => `Review ${parameters.get('id') ?? ''}`,
  data: 'review-one',
  /** Nothing of it changes but that somebody else may be faster. */
  isOnce: true,
  /**
   * @param {ReviewData} review
   * @param {URLSearchParams} _parameters
   * @param {(address: string) => void} go
   */
  render: (review, _parameters, go) => {
    const { batch, id, schema, stopped, text, problem } = review;
    return [
      h('h1', {}, `Review ${id}`),
      h(
        'div',
        { class: 'columns' },
        h(
          'section',
          { class: 'panel', 'aria-labelledby': 'the-document' },
          h('h2', { id: 'the-document' }, 'The document'),
          text === null
            ? h('p', { class: 'muted' }, 'Its text is with its workflow, and no Temporal server answers.')
            : h('pre', { tabindex: 0, role: 'region', 'aria-label': "The document's text" }, text),
          factList([
            ['Schema', schema],
            ['Gave up because of', stopped],
            batch !== '' && ['Batch', h('a', { href: address('/batch', { id: batch }) }, batch)],
          ]),
          problem !== null && [
            h('h3', {}, 'What was wrong with the last answer'),
            h(
              'ul',
              { class: 'plain' },
              (problem.details.length === 0 ? [{ path: '', message: problem.message }] : problem.details).map(
                ({ path, message }) => h('li', {}, h('code', {}, path || 'the answer'), `: ${message}`),
              ),
            ),
          ],
          h(
            'p',
            {},
            h('a', { href: address('/extraction', { batch: batch || null, id }) }, 'The whole conversation'),
          ),
        ),
        h(
          'section',
          { class: 'panel', 'aria-labelledby': 'what-is-right' },
          h('h2', { id: 'what-is-right' }, 'What is right'),
          correctionForm(review, () => go('/review')),
        ),
      ),
    ];
  },
};
