/** What buttons and forms do: `data-act` names it, `data-input` is what it needs to know. */
import { ask } from './dialog.js';
import { post } from './requests.js';

/** @typedef {{ readonly kind: 'done' | 'refused', readonly text: string }} Said */

/**
 * Does what a button or a form stands for; asks first where it says so.
 *
 * @param {HTMLButtonElement | HTMLFormElement} element
 * @returns {Promise<Said | undefined>} undefined where somebody thought better of it.
 */
export async function act(element) {
  const { act: name = '', input = '{}', title, text = '', field, confirm = 'Yes' } = element.dataset;
  const typed = element instanceof HTMLFormElement ? readForm(element) : {};
  const answered = title === undefined ? {} : await ask({ title, text, confirm, field });
  if (answered === undefined) return undefined;
  const button = element instanceof HTMLFormElement ? element.querySelector('button') : element;
  if (button) button.disabled = true;
  try {
    const { said = 'Done.' } = await post(`/api/act/${name}`, {
      ...JSON.parse(input),
      ...typed,
      ...answered,
    });
    return { kind: 'done', text: said };
  } catch (error) {
    return { kind: 'refused', text: error instanceof Error ? error.message : String(error) };
  } finally {
    if (button) button.disabled = false;
  }
}

/**
 * What was typed into a form, by name; numbers as numbers.
 *
 * @param {HTMLFormElement} form
 * @returns {Record<string, string | number>}
 */
export function readForm(form) {
  return Object.fromEntries(
    [...new FormData(form)].map(([name, value]) => {
      const input = form.elements.namedItem(name);
      const text = typeof value === 'string' ? value : value.name;
      const isNumber = input instanceof HTMLInputElement && input.type === 'number' && text !== '';
      return [name, isNumber ? Number(text) : text];
    }),
  );
}
