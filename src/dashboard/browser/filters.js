import { h } from './dom.js';

/** @import { Stats } from '../../core/stats.ts' */

const RANGES = /** @type {const} */ ([
  ['hour', 'the last hour'],
  ['day', 'the last day'],
  ['week', 'the last week'],
  ['month', 'the last 30 days'],
  ['all', 'all that there is'],
]);

/**
 * Which extractions are looked at. The address holds the choice, so that it can be kept and sent.
 *
 * @param {Stats['known']} known what there is
 * @param {URLSearchParams} parameters
 * @param {'day' | 'all'} usualRange
 * @param {import('./dom.js').Child} [more]
 */
export function filterForm({ schemas, models, batches }, parameters, usualRange, more) {
  return h(
    'form',
    { class: 'filters panel', 'data-filter': true, 'aria-label': 'Which extractions' },
    chooser('since', 'Time', RANGES, parameters.get('since') ?? usualRange),
    chooser('schema', 'Schema', any(schemas), parameters.get('schema')),
    chooser('model', 'Model', any(models), parameters.get('model')),
    chooser('batch', 'Batch', any(batches), parameters.get('batch')),
    more,
  );
}

/**
 * @param {string} name
 * @param {string} label
 * @param {readonly (readonly string[])[]} options value and label
 * @param {string | null} chosen
 */
export function chooser(name, label, options, chosen) {
  const isOffered = chosen === null || options.some(([value]) => value === chosen);
  const all = isOffered ? options : [...options, [chosen, chosen]];
  return h(
    'label',
    {},
    label,
    h(
      'select',
      { name, 'data-filter': true },
      all.map(([value = '', text]) => h('option', { value, selected: value === (chosen ?? '') }, text)),
    ),
  );
}

/**
 * @param {readonly string[]} names
 * @returns {readonly (readonly string[])[]}
 */
function any(names) {
  return [['', 'any'], ...names.map((name) => [name, name])];
}
