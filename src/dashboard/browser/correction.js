/** Entering data by hand: the form is made once, and what is typed stays while the page is told anew. */
import { h } from './dom.js';
import { say } from './messages.js';
import { jsonField, recordForm } from './record-form.js';
import { post } from './requests.js';

/** @import { ReviewData } from '../data.ts' */
/** @import { ProblemDetail } from '../../core/contract.ts' */

/**
 * A form for the record. After it was taken, or was given up, `onDone` is called.
 *
 * @param {ReviewData} review
 * @param {() => void} onDone
 */
export function correctionForm({ batch, id, jsonSchema, record }, onDone) {
  const field =
    jsonSchema === null
      ? jsonField({ schema: {}, root: {}, label: 'The record', path: '' }, record)
      : recordForm(jsonSchema, record);
  const by = /** @type {HTMLInputElement} */ (h('input', { id: 'by', maxlength: 100, autocomplete: 'name' }));
  by.value = localStorage.getItem('by') ?? '';
  const wrong = h('div', { role: 'alert', class: 'bad' });
  const leave = h('button', { type: 'button' }, 'Leave it as failed');
  const form = h(
    'form',
    { class: 'correction', novalidate: true, 'data-own': true },
    field.element,
    h(
      'div',
      { class: 'field' },
      h('label', { for: 'by' }, 'Your name, for those who come after (may be left out)'),
      by,
    ),
    wrong,
    h('div', { class: 'actions' }, h('button', { class: 'primary' }, 'Save'), leave),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    localStorage.setItem('by', by.value);
    void send(() => post('/api/act/correct', { batch, id, data: field.read() ?? null, by: by.value }));
  });
  leave.addEventListener('click', () => void send(() => post('/api/act/give-up', { batch, id })));

  /** @param {() => ReturnType<typeof post>} request */
  const send = async (request) => {
    wrong.replaceChildren();
    try {
      const { said = '', problems } = await request();
      if (problems !== undefined) {
        showProblems(form, wrong, said, problems);
        return;
      }
      say({ kind: 'done', text: said });
      onDone();
    } catch (error) {
      wrong.replaceChildren(h('p', {}, error instanceof Error ? error.message : String(error)));
    }
  };
  return form;
}

/**
 * Says what is wrong, and where: above the buttons, and at the fields.
 *
 * @param {Element} form
 * @param {Element} wrong
 * @param {string} said
 * @param {readonly ProblemDetail[]} problems
 */
function showProblems(form, wrong, said, problems) {
  wrong.replaceChildren(
    h('p', {}, said),
    h(
      'ul',
      {},
      problems.map(({ path, message }) =>
        h('li', {}, h('code', {}, path || 'the whole record'), `: ${message}`),
      ),
    ),
  );
  const paths = new Set(problems.map(({ path }) => path));
  for (const field of form.querySelectorAll('[data-path]')) {
    const isWrong = paths.has(field.getAttribute('data-path') ?? '');
    if (isWrong) field.setAttribute('aria-invalid', 'true');
    else field.removeAttribute('aria-invalid');
  }
  const first = form.querySelector('[aria-invalid]');
  if (first instanceof HTMLElement) first.focus();
}
