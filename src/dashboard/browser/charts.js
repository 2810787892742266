/** Charts: a table with a bar in each row is its own text alternative; a timeline has a table beside it. */
import { h } from './dom.js';
import { grouped, percent, time } from './format.js';
import { bar } from './parts.js';

/** @typedef {{ readonly label: string, readonly value: number, readonly text: string, readonly more?: string }} BarRow */

/**
 * One bar for each row.
 *
 * @param {{
 *   readonly caption: string,
 *   readonly columns: readonly [label: string, value: string, more?: string],
 *   readonly rows: readonly BarRow[],
 *   readonly most: number,
 *   readonly tone: string,
 * }} options `most`: the value of a full bar
 */
export function barTable({ caption, columns, rows, most, tone }) {
  const [label, value, more] = columns;
  return h(
    'table',
    {},
    h('caption', { class: 'hidden' }, caption),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, label),
        h('td', {}),
        h('th', { scope: 'col', class: 'number' }, value),
        more !== undefined && h('th', { scope: 'col', class: 'number' }, more),
      ),
    ),
    h(
      'tbody',
      {},
      rows.map((row) =>
        h(
          'tr',
          { 'data-key': row.label },
          h('th', { scope: 'row' }, row.label),
          h('td', { class: 'bar-cell' }, bar([{ share: most === 0 ? 0 : row.value / most, tone }])),
          h('td', { class: 'number' }, row.text),
          more !== undefined && h('td', { class: 'number' }, row.more ?? ''),
        ),
      ),
    ),
  );
}

/**
 * Counts over time, each kind in a colour of its own, one upon the other.
 *
 * @param {{
 *   readonly name: string,
 *   readonly from: number,
 *   readonly to: number,
 *   readonly kinds: readonly string[],
 *   readonly columns: readonly { readonly at: number, readonly counts: Readonly<Record<string, number>> }[],
 *   readonly columnMs: number,
 * }} options
 */
export function timeline({ name, from, to, kinds, columns, columnMs }) {
  const sums = columns.map(({ counts }) => kinds.reduce((sum, kind) => sum + (counts[kind] ?? 0), 0));
  const most = Math.max(1, ...sums);
  const span = Math.max(columnMs, to - from);
  const width = (columnMs / span) * 100;
  const rects = columns.flatMap(({ at, counts }) => {
    let y = 100;
    const x = ((at - from) / span) * 100;
    return kinds.map((kind) => {
      const height = ((counts[kind] ?? 0) / most) * 100;
      y -= height;
      return height > 0 && h('rect', { x, y, width: width * 0.85, height, class: `series-${kind}` });
    });
  });
  const total = sums.reduce((sum, count) => sum + count, 0);
  return h(
    'div',
    { class: 'timeline' },
    h('p', { class: 'muted' }, `at most ${grouped(most)} in a column`),
    h(
      'svg',
      {
        viewBox: '0 0 100 100',
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': `${name}: ${grouped(total)} in all, at most ${grouped(most)} in a column. The table below tells the same.`,
      },
      rects,
    ),
    h('p', { class: 'axis' }, time(from), time(to)),
    h(
      'ul',
      { class: 'legend' },
      kinds.map((kind) => {
        const count = columns.reduce((sum, { counts }) => sum + (counts[kind] ?? 0), 0);
        return h(
          'li',
          {},
          h(
            'svg',
            { viewBox: '0 0 1 1', 'aria-hidden': 'true' },
            h('rect', { x: 0, y: 0, width: 1, height: 1, class: `series-${kind}` }),
          ),
          `${kind.replaceAll('_', ' ')} ${grouped(count)} (${percent(total === 0 ? 0 : count / total)})`,
        );
      }),
    ),
    h(
      'details',
      {},
      h('summary', {}, 'As a table'),
      h(
        'div',
        { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${name}, as a table` },
        h(
          'table',
          {},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('th', { scope: 'col' }, 'From'),
              kinds.map((kind) => h('th', { scope: 'col', class: 'number' }, kind.replaceAll('_', ' '))),
            ),
          ),
          h(
            'tbody',
            {},
            columns.map(({ at, counts }) =>
              h(
                'tr',
                {},
                h('th', { scope: 'row' }, time(at)),
                kinds.map((kind) => h('td', { class: 'number' }, grouped(counts[kind] ?? 0))),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}
