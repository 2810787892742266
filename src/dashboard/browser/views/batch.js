import { h } from '../dom.js';
import { counted, dollars, grouped, time } from '../format.js';
import { address, factList, silentServerNotice, stateBadge } from '../parts.js';
import { mainActions, progress } from './batches.js';

/** @import { BatchData } from '../../data.ts' */
/** @import { LearntByBatch } from '../../../core/batch-contract.ts' */

/** One batch, and what can be done to it. */
export const batch = {
  /** @param {URLSearchParams} parameters */
  title: (parameters) => `Batch ${parameters.get('id') ?? ''}`,
  data: 'batch',
  /** @param {BatchData} data */
  render: ({ server, batch: shown, webUi, gate }) => {
    const { id, state, round } = shown;
    const isGateShut = gate !== null && gate.state !== 'closed';
    return [
      h('div', { class: 'row' }, h('h1', {}, `Batch ${id}`), stateBadge(state)),
      server === 'silent' && silentServerNotice(),
      isGateShut &&
        h(
          'p',
          { class: 'notice warn' },
          `The gate of ${gate.provider} is ${gate.state.replace('_', ' ')}: ${gate.reason}. `,
          h('a', { href: '/gates' }, 'See the gates'),
        ),
      shown.pausedFor === 'budget' &&
        h(
          'p',
          { class: 'notice warn' },
          'It is paused since its budget does not cover the next call. Go on with a higher one: ',
          h('code', {}, `durable-extract batch resume ${id} --max-cost-usd USD`),
        ),
      shown.inReview > 0 &&
        h(
          'p',
          { class: 'notice' },
          `${counted(shown.inReview, 'document')} of it ${shown.inReview === 1 ? 'waits' : 'wait'} for a person. `,
          h('a', { href: address('/review', { batch: id }) }, 'Review'),
        ),
      h(
        'section',
        { class: 'panel', 'aria-label': 'Progress' },
        progress(shown),
        h('div', { class: 'actions' }, mainActions(shown)),
        concurrencyForm(shown),
      ),
      h(
        'section',
        { class: 'panel', 'aria-labelledby': 'facts' },
        h('h2', { id: 'facts' }, 'What it is and costs'),
        factList([
          ['Extracted', grouped(shown.succeeded)],
          ['Failed', grouped(shown.failed)],
          ['To be done', grouped(shown.pending)],
          ['Calls', grouped(shown.calls)],
          ['Tokens', grouped(shown.promptTokens + shown.completionTokens)],
          ['Cost', dollars(shown.costUsd)],
          ['Schema', shown.schema],
          [
            'Model',
            `${shown.model ?? 'not known yet'}${shown.simulated ? ' (simulated: no model is asked)' : ''}`,
          ],
          ['Round', round],
          ['Begun', time(shown.createdAt)],
          shown.finishedAt !== null && ['Ended', time(shown.finishedAt)],
        ]),
        h(
          'p',
          { class: 'links' },
          h('a', { href: address('/extractions', { batch: id }) }, 'Its extractions'),
          h('a', { href: address('/', { batch: id, since: 'all' }) }, 'Its figures'),
          webUi !== null &&
            h(
              'a',
              { href: webUi, target: '_blank', rel: 'noreferrer' },
              'Its workflow in the Temporal Web UI',
            ),
        ),
      ),
      learntSection(shown.learnt),
      h(
        'section',
        { class: 'panel', 'aria-labelledby': 'results' },
        h('h2', { id: 'results' }, 'Results'),
        h(
          'p',
          { class: 'muted' },
          `A line for each of the ${counted(shown.total, 'document')}, in input order; those not done yet are 'pending'.`,
        ),
        h('p', { class: 'links' }, downloadLink(id, 'jsonl'), downloadLink(id, 'csv')),
      ),
    ];
  },
};

/** @param {BatchData['batch']} batch */
function concurrencyForm({ id, concurrency, state }) {
  if (state === 'completed') return null;
  return h(
    'form',
    { class: 'inline', 'data-act': 'concurrency', 'data-input': JSON.stringify({ id }) },
    h('label', { for: 'concurrency' }, 'Documents in work at once'),
    h('input', {
      id: 'concurrency',
      name: 'concurrency',
      type: 'number',
      min: 1,
      max: 10_000,
      required: true,
      value: concurrency,
    }),
    h('button', {}, 'Change'),
    h('span', { class: 'muted' }, `now ${grouped(concurrency)}`),
  );
}

/** @param {LearntByBatch | null} learnt */
function learntSection(learnt) {
  if (learnt === null) return null;
  const { hints, modes, rejectedModes } = learnt;
  const lines = [
    ...hints.map((hint) => `Documents are warned: ${hint.replace(/^- /, '')}`),
    ...modes.map((mode) => `Documents begin with the mode ${mode}`),
    ...rejectedModes.map((mode) => `The provider takes no ${mode}`),
  ];
  if (lines.length === 0) return null;
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': 'learnt' },
    h('h2', { id: 'learnt' }, 'What it has learnt'),
    h(
      'ul',
      {},
      lines.map((line) => h('li', {}, line)),
    ),
  );
}

/**
 * @param {string} id
 * @param {'jsonl' | 'csv'} format
 */
function downloadLink(id, format) {
  return h(
    'a',
    { href: address('/api/results', { batch: id, format }), download: `${id}.${format}` },
    `Download ${format === 'csv' ? 'CSV' : 'JSON Lines'}`,
  );
}
