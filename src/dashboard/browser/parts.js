/** Pieces that several views are made of. */
import { h } from './dom.js';

/**
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} parameters those that are null or undefined are left out
 */
export function address(path, parameters) {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

/** What of a batch or a gate is good, bad, or wants a look. */
const TONES = /** @type {const} */ ({
  running: 'accent',
  paused: 'warn',
  completed: 'good',
  cancelled: 'quiet',
  failed: 'bad',
  closed: 'good',
  throttled: 'warn',
  half_open: 'warn',
  open: 'bad',
  parked: 'bad',
});

/**
 * A state in words; its colour says the same again.
 *
 * @param {keyof typeof TONES} state
 */
export function stateBadge(state) {
  return badge(state.replace('_', ' '), TONES[state]);
}

/**
 * @param {string} text
 * @param {'accent' | 'good' | 'warn' | 'bad' | 'quiet'} tone
 */
export function badge(text, tone) {
  return h('span', { class: `badge ${tone}` }, text);
}

/**
 * A button that does something: see `actions.js`.
 *
 * @param {string} label
 * @param {{
 *   readonly act: string,
 *   readonly input: object,
 *   readonly of: string,
 *   readonly ask?: { readonly title: string, readonly text: string, readonly confirm: string, readonly field?: string },
 *   readonly tone?: string,
 * }} options `of`: what it is done to, for those who hear only the button
 */
export function actionButton(label, { act, input, of, ask, tone }) {
  return h(
    'button',
    {
      'data-act': act,
      'data-key': `${act} ${of}`,
      'data-input': JSON.stringify(input),
      'data-title': ask?.title,
      'data-text': ask?.text,
      'data-confirm': ask?.confirm,
      'data-field': ask?.field,
      'aria-label': `${label} ${of}`,
      class: tone,
    },
    label,
  );
}

/**
 * Facts in two columns.
 *
 * @param {readonly (readonly [name: string, value: import('./dom.js').Child] | false | null | undefined)[]} facts
 */
export function factList(facts) {
  return h(
    'dl',
    { class: 'facts' },
    facts.map((fact) => fact && h('div', {}, h('dt', {}, fact[0]), h('dd', {}, fact[1]))),
  );
}

/**
 * A figure with its name.
 *
 * @param {string} name
 * @param {import('./dom.js').Child} value
 * @param {import('./dom.js').Child} [more]
 */
export function figure(name, value, more) {
  return h(
    'div',
    { class: 'figure' },
    h('dt', {}, name),
    h('dd', {}, h('strong', {}, value), more && h('span', { class: 'muted' }, more)),
  );
}

/** What is said where no server answers. */
export function silentServerNotice() {
  return h(
    'p',
    { class: 'notice warn' },
    'No Temporal server answers, so nothing is done just now, and this is what the store knows. Start it with: ',
    h('code', {}, 'durable-extract up'),
  );
}

/**
 * A bar of which a share is filled. What it says is said in words beside it.
 *
 * @param {readonly { readonly share: number, readonly tone: string }[]} pieces
 */
export function bar(pieces) {
  let x = 0;
  const rects = pieces.map(({ share, tone }) => {
    const rect = h('rect', { x, y: 0, width: Math.max(0, share * 100), height: 1, class: `fill-${tone}` });
    x += share * 100;
    return rect;
  });
  return h(
    'svg',
    { class: 'bar', viewBox: '0 0 100 1', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    rects,
  );
}
