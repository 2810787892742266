import { h } from './dom.js';

/**
 * Asks before something is done that cannot be taken back easily; also for a reason, where `field` names one.
 *
 * @param {{ readonly title: string, readonly text: string, readonly confirm: string, readonly field: string | undefined }} options
 * @returns {Promise<Record<string, string> | undefined>} what was typed; undefined where it was not confirmed.
 */
export function ask({ title, text, confirm, field }) {
  const input =
    field === undefined
      ? null
      : h('input', { id: 'dialog-field', name: field, required: true, maxlength: 200 });
  const dialog = /** @type {HTMLDialogElement} */ (
    h(
      'dialog',
      { 'aria-labelledby': 'dialog-title' },
      h(
        'form',
        { method: 'dialog' },
        h('h2', { id: 'dialog-title' }, title),
        text !== '' && h('p', {}, text),
        input && h('p', {}, h('label', { for: 'dialog-field' }, 'Reason, for those who come after'), input),
        h(
          'div',
          { class: 'actions' },
          h('button', { value: 'yes', class: 'primary' }, confirm),
          h('button', { value: '', formnovalidate: true }, 'Back'),
        ),
      ),
    )
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (dialog.returnValue !== 'yes') resolve(undefined);
      else resolve(field === undefined ? {} : { [field]: /** @type {HTMLInputElement} */ (input).value });
    });
  });
}
