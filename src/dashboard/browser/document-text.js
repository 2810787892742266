import { h } from './dom.js';
import { say } from './messages.js';
import { readView } from './requests.js';

/**
 * Shows a document's text, which is read only when somebody asks for it.
 *
 * @param {HTMLButtonElement} button
 */
export async function showDocument(button) {
  const place = document.getElementById('document-text');
  const { batch = '', id = '' } = button.dataset;
  button.disabled = true;
  try {
    const { text } = await readView('document-text', new URLSearchParams({ batch, id }));
    const shown = h('pre', { tabindex: 0, role: 'region', 'aria-label': "The document's text" }, text);
    place?.replaceChildren(shown);
    if (shown instanceof HTMLElement) shown.focus();
  } catch (error) {
    say({ kind: 'refused', text: error instanceof Error ? error.message : String(error) });
  } finally {
    button.disabled = false;
  }
}
