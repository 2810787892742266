import { h } from '../dom.js';
import { counted, duration, grouped, percent, rate, time } from '../format.js';
import { actionButton, address, bar, silentServerNotice, stateBadge } from '../parts.js';

/** @import { BatchesData, ShownBatch } from '../../data.ts' */

/** All batches. */
export const batches = {
  title: () => 'Batches',
  data: 'batches',
  /** @param {BatchesData} data */
  render: ({ server, batches: all, more }) => [
    h('h1', {}, 'Batches'),
    server === 'silent' && silentServerNotice(),
    all.length === 0
      ? h(
          'p',
          { class: 'notice' },
          'There is no batch yet. Start one with: ',
          h('code', {}, 'durable-extract batch run FILE --schema NAME --id ID'),
        )
      : h('ul', { class: 'cards' }, all.map(card)),
    more > 0 &&
      h(
        'p',
        {},
        h(
          'a',
          { href: address('/batches', { limit: all.length + 200 }) },
          `Show ${counted(more, 'older one')}`,
        ),
      ),
  ],
};

/** @param {ShownBatch} batch */
function card(batch) {
  const { id, state, schema, model, simulated, createdAt } = batch;
  return h(
    'li',
    { class: 'panel', 'data-key': id },
    h(
      'div',
      { class: 'row' },
      h('h2', {}, h('a', { href: address('/batch', { id }) }, id)),
      stateBadge(state),
    ),
    progress(batch),
    h(
      'p',
      { class: 'muted' },
      `${schema} · ${model ?? 'model not known yet'}${simulated ? ' (simulated)' : ''} · begun `,
      time(createdAt),
    ),
    h('div', { class: 'actions' }, mainActions(batch)),
  );
}

/**
 * How far it is, in a bar and in words.
 *
 * @param {ShownBatch} batch
 */
export function progress(batch) {
  const { total, succeeded, failed, pending, retrying, perSecond } = batch;
  const done = total - pending;
  const left = perSecond ? duration((pending / perSecond) * 1_000) : null;
  const words = [
    `${percent(total === 0 ? 1 : done / total)} · ${grouped(done)} of ${counted(total, 'document')}`,
    perSecond ? rate(perSecond) : '',
    left !== null && pending > 0 ? `${left} left` : '',
    retrying > 0 ? `${grouped(retrying)} retrying` : '',
  ].filter((part) => part !== '');
  return h(
    'div',
    { class: 'progress' },
    bar([
      { share: succeeded / Math.max(1, total), tone: 'good' },
      { share: failed / Math.max(1, total), tone: 'bad' },
    ]),
    h(
      'p',
      {},
      words.join(' · '),
      ' · ',
      failed > 0
        ? h(
            'a',
            { href: address('/extractions', { batch: batch.id, outcome: 'failed' }) },
            `${grouped(failed)} failed`,
          )
        : '0 failed',
    ),
  );
}

/**
 * What can be done in its state.
 *
 * @param {ShownBatch} batch
 */
export function mainActions({ id, state, failed }) {
  const of = `batch ${id}`;
  const input = { id };
  const isUnderWay = state === 'running' || state === 'paused';
  return [
    state === 'running' && actionButton('Pause', { act: 'pause', input, of }),
    state === 'paused' && actionButton('Resume', { act: 'resume', input, of, tone: 'primary' }),
    (state === 'cancelled' || state === 'failed') && actionButton('Resume', { act: 'resume', input, of }),
    !isUnderWay &&
      failed > 0 &&
      actionButton('Retry failed', {
        act: 'retry-failed',
        input,
        of,
        ask: {
          title: `Do the failed documents of '${id}' again?`,
          text: 'The model is called for each of them, and its answers cost what they cost.',
          confirm: 'Retry failed',
        },
      }),
    isUnderWay &&
      actionButton('Cancel', {
        act: 'cancel',
        input,
        of,
        tone: 'danger',
        ask: {
          title: `Cancel '${id}'?`,
          text: 'What is done is kept, calls under way are let finish, and the rest can be resumed.',
          confirm: 'Cancel the batch',
        },
      }),
  ];
}
