import { h } from './dom.js';

const GONE_AFTER_MS = 8_000;

/**
 * Says how something went, to eyes and to screen readers. What was refused stays until it is put away.
 *
 * @param {import('./actions.js').Said | undefined} said
 */
export function say(said) {
  if (said === undefined) return;
  const close = h('button', { class: 'plain', 'aria-label': 'Put this message away' }, '✕');
  const message = h(
    'div',
    { class: `message ${said.kind}`, role: said.kind === 'refused' && 'alert' },
    h('span', {}, said.text),
    close,
  );
  close.addEventListener('click', () => message.remove());
  document.getElementById('messages')?.append(message);
  if (said.kind === 'done') setTimeout(() => message.remove(), GONE_AFTER_MS);
}
