import { h } from '../dom.js';
import { duration, time } from '../format.js';
import { actionButton, factList, stateBadge } from '../parts.js';

/** @import { GatesData } from '../../data.ts' */

/** The valves before providers. */
export const gates = {
  title: () => 'Gates',
  data: 'gates',
  /** @param {GatesData} data */
  render: ({ gates: all }) => [
    h('h1', {}, 'Gates'),
    h(
      'p',
      { class: 'muted' },
      'The valve before each provider, for all workers together: it holds calls back while too many fail.',
    ),
    all.length === 0 &&
      h(
        'p',
        { class: 'notice' },
        'There is no gate yet: each provider has one once a worker has started. Start one with: ',
        h('code', {}, 'durable-extract up'),
      ),
    all.map(section),
  ],
};

/** @param {GatesData['gates'][number]} gate */
function section({ status, changes, webUi }) {
  const { provider, state, reason, since, until, callsPerSecond } = status;
  const of = `the gate of ${provider}`;
  const isOpenToCalls = state === 'closed' || state === 'throttled';
  return h(
    'section',
    { class: 'panel', 'data-key': provider, 'aria-label': of },
    h('div', { class: 'row' }, h('h2', {}, provider), stateBadge(state)),
    factList([
      ['Why', reason],
      ['Since', time(since)],
      ['Rate', rateOf(callsPerSecond)],
      until !== null && ['Does something by itself', time(until)],
    ]),
    h(
      'div',
      { class: 'actions' },
      state !== 'parked' &&
        actionButton('Trip', {
          act: 'trip',
          input: { provider },
          of,
          tone: 'danger',
          ask: {
            title: `Trip ${of}?`,
            text: 'No further call is made: documents wait until it is reset. Calls under way are let finish.',
            confirm: 'Trip it',
            field: 'reason',
          },
        }),
      !isOpenToCalls && actionButton('Reset', { act: 'reset', input: { provider }, of, tone: 'primary' }),
      webUi !== null &&
        h('a', { href: webUi, target: '_blank', rel: 'noreferrer' }, 'Its workflow in the Temporal Web UI'),
    ),
    h('h3', {}, 'What has become of it'),
    history(changes),
  );
}

/** @param {GatesData['gates'][number]['changes']} changes */
function history(changes) {
  if (changes.length === 0) return h('p', { class: 'muted' }, 'Nothing yet.');
  return h(
    'div',
    { class: 'scroll wide', tabindex: 0, role: 'region', 'aria-label': 'Changes' },
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ['When', 'State', 'Rate', 'Why', 'For'].map((name) => h('th', { scope: 'col' }, name)),
        ),
      ),
      h(
        'tbody',
        {},
        changes.map(({ at, state, reason, callsPerSecond }, index) => {
          const next = changes[index - 1];
          return h(
            'tr',
            { 'data-key': at },
            h('td', {}, time(at)),
            h('td', {}, stateBadge(state)),
            h('td', {}, rateOf(callsPerSecond)),
            h('td', {}, reason),
            h('td', {}, next === undefined ? 'until now' : duration(next.at - at)),
          );
        }),
      ),
    ),
  );
}

/** @param {number | null} callsPerSecond */
function rateOf(callsPerSecond) {
  if (callsPerSecond === null) return 'no limit';
  if (callsPerSecond < 0.01) return 'no calls';
  return `${callsPerSecond >= 10 ? callsPerSecond.toFixed(0) : callsPerSecond.toPrecision(2)} calls/s`;
}
