/** A form made from a JSON Schema. What it cannot make fields for is entered as JSON. */
import { h } from './dom.js';

/** @import { Json, JsonObject } from '../../core/json.ts' */

/**
 * Part of a form: its nodes, and what is in it.
 *
 * @typedef {{ readonly element: Element, readonly read: () => Json | undefined }} Field
 */

/** @typedef {{ readonly schema: JsonObject, readonly root: JsonObject, readonly label: string, readonly path: string }} Place */

let count = 0;

/**
 * Fields for a record. `read` gives what was entered; it throws where JSON was entered that is none.
 *
 * @param {JsonObject} schema
 * @param {Json} value what is there already
 * @returns {Field}
 */
export function recordForm(schema, value) {
  return fieldOf({ schema, root: schema, label: 'The record', path: '' }, value);
}

/**
 * @param {Place} place
 * @param {Json | undefined} value
 * @returns {Field}
 */
function fieldOf(place, value) {
  const { schema, isNullable } = plainSchema(place.schema, place.root);
  const at = { ...place, schema };
  const { type, properties, items } = schema;
  const options = schema['enum'] ?? (schema['const'] === undefined ? undefined : [schema['const']]);
  if (Array.isArray(options)) return choiceField(at, options, isNullable, value);
  if (type === 'boolean') return choiceField(at, [true, false], isNullable, value);
  if (type === 'object' && isObject(properties) && !(isNullable && at.path !== ''))
    return objectField(at, properties, value);
  if (type === 'array' && isObject(items)) return listField(at, items, value);
  if (type === 'string') return textField(at, isNullable, value);
  if (type === 'number' || type === 'integer') return numberField(at, isNullable, value);
  return jsonField(at, value);
}

/**
 * A schema without references and without the part that takes null.
 *
 * @param {JsonObject} schema
 * @param {JsonObject} root
 * @returns {{ readonly schema: JsonObject, readonly isNullable: boolean }}
 */
function plainSchema(schema, root) {
  const reference = schema['$ref'];
  if (typeof reference === 'string' && reference.startsWith('#/')) {
    /** @type {Json | undefined} */
    let found = root;
    for (const step of reference.slice(2).split('/')) found = isObject(found) ? found[step] : undefined;
    // Whatever a schema refers to, it is not followed for ever.
    return isObject(found) && found !== schema && found['$ref'] === undefined
      ? plainSchema(found, root)
      : { schema: {}, isNullable: false };
  }
  const { type } = schema;
  if (Array.isArray(type) && type.length === 2 && type.includes('null')) {
    return { schema: { ...schema, type: type.find((name) => name !== 'null') ?? 'null' }, isNullable: true };
  }
  const branches = schema['anyOf'] ?? schema['oneOf'];
  if (!Array.isArray(branches)) return { schema, isNullable: false };
  const others = branches.filter((branch) => !isObject(branch) || branch['type'] !== 'null');
  const [only] = others;
  if (others.length !== 1 || others.length === branches.length || !isObject(only))
    return { schema: {}, isNullable: false };
  const description = schema['description'] ?? only['description'] ?? '';
  return { schema: { ...plainSchema(only, root).schema, description }, isNullable: true };
}

/**
 * @param {Place} place
 * @param {JsonObject} properties
 * @param {Json | undefined} value
 * @returns {Field}
 */
function objectField({ schema, root, label, path }, properties, value) {
  const given = isObject(value) ? value : {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const fields = Object.entries(properties).map(([name, inner]) => {
    const isNeeded = required.includes(name);
    const place = {
      schema: isObject(inner) ? inner : {},
      root,
      label: isNeeded ? name : `${name} (may be left out)`,
      path: path === '' ? name : `${path}.${name}`,
    };
    return { name, field: fieldOf(place, given[name]) };
  });
  return {
    element: h(
      'fieldset',
      {},
      h('legend', {}, label),
      help(schema),
      fields.map(({ field }) => field.element),
    ),
    read: () =>
      Object.fromEntries(
        fields.flatMap(({ name, field }) => {
          const entered = field.read();
          if (entered !== undefined && (entered !== null || required.includes(name)))
            return [[name, entered]];
          return [];
        }),
      ),
  };
}

/**
 * @param {Place} place
 * @param {JsonObject} items
 * @param {Json | undefined} value
 * @returns {Field}
 */
function listField({ schema, root, label, path }, items, value) {
  /** @type {{ readonly field: Field, readonly row: Element }[]} */
  const rows = [];
  const list = h('div', { class: 'list' });
  /** @param {Json | undefined} item */
  const add = (item) => {
    const number = rows.length;
    const field = fieldOf({ schema: items, root, label: `${number + 1}`, path: `${path}[${number}]` }, item);
    const remove = h('button', { type: 'button', 'aria-label': `Remove ${label} ${number + 1}` }, 'Remove');
    const row = h('div', { class: 'list-row' }, field.element, remove);
    const entry = { field, row };
    remove.addEventListener('click', () => {
      rows.splice(rows.indexOf(entry), 1);
      row.remove();
    });
    rows.push(entry);
    list.append(row);
  };
  for (const item of Array.isArray(value) ? value : []) add(item);
  const more = h('button', { type: 'button', 'aria-label': `Add to ${label}` }, 'Add');
  more.addEventListener('click', () => add(undefined));
  return {
    element: h('fieldset', { 'data-path': path }, h('legend', {}, label), help(schema), list, more),
    read: () => rows.map(({ field }) => field.read() ?? null),
  };
}

/**
 * @param {Place} place
 * @param {boolean} isNullable
 * @param {Json | undefined} value
 * @returns {Field}
 */
function textField(place, isNullable, value) {
  const text =
    typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
  const isLong = text.length > 80 || text.includes('\n');
  const input = isLong ? document.createElement('textarea') : document.createElement('input');
  // As a property: an attribute would show what is hidden in it in another way, and that would be sent.
  input.value = text;
  return labelled(place, input, isNullable, () => (input.value === '' && isNullable ? null : input.value));
}

/**
 * @param {Place} place
 * @param {boolean} isNullable
 * @param {Json | undefined} value
 * @returns {Field}
 */
function numberField(place, isNullable, value) {
  const input = /** @type {HTMLInputElement} */ (h('input', { inputmode: 'decimal' }));
  input.value =
    value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  return labelled(place, input, isNullable, () => {
    const text = input.value.trim();
    if (text === '') return isNullable ? null : undefined;
    // What is no number goes as it is: the schema says what is wrong with it.
    return Number.isNaN(Number(text)) ? text : Number(text);
  });
}

/**
 * @param {Place} place
 * @param {readonly Json[]} options
 * @param {boolean} isNullable
 * @param {Json | undefined} value
 * @returns {Field}
 */
function choiceField(place, options, isNullable, value) {
  const all = isNullable && !options.includes(null) ? [...options, null] : options;
  const select = /** @type {HTMLSelectElement} */ (
    h(
      'select',
      {},
      h('option', { value: '' }, 'choose…'),
      all.map((option, index) =>
        h(
          'option',
          { value: index, selected: JSON.stringify(option) === JSON.stringify(value) },
          option === null ? 'none (null)' : typeof option === 'string' ? option : JSON.stringify(option),
        ),
      ),
    )
  );
  return labelled(place, select, false, () => (select.value === '' ? undefined : all[Number(select.value)]));
}

/**
 * @param {Place} place
 * @param {Json | undefined} value
 * @returns {Field}
 */
export function jsonField(place, value) {
  const input = document.createElement('textarea');
  input.value = value === undefined ? '' : JSON.stringify(value, null, 2);
  input.rows = Math.min(20, input.value.split('\n').length + 1);
  return labelled({ ...place, label: `${place.label}, as JSON` }, input, false, () => {
    if (input.value.trim() === '') return undefined;
    try {
      return JSON.parse(input.value);
    } catch (error) {
      throw new Error(
        `${place.path || place.label}: expected JSON: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  });
}

/**
 * @param {Place} place
 * @param {HTMLElement} input
 * @param {boolean} isNullable
 * @param {() => Json | undefined} read
 * @returns {Field}
 */
function labelled({ schema, label, path }, input, isNullable, read) {
  count += 1;
  input.id = `field-${count}`;
  input.dataset['path'] = path;
  const words = help(schema);
  if (words !== null) {
    words.id = `help-${count}`;
    input.setAttribute('aria-describedby', words.id);
  }
  const name = isNullable ? `${label} (empty: null)` : label;
  return { element: h('div', { class: 'field' }, h('label', { for: input.id }, name), input, words), read };
}

/** @param {JsonObject} schema */
function help({ description }) {
  return typeof description === 'string' && description !== ''
    ? h('p', { class: 'muted' }, description)
    : null;
}

/**
 * @param {unknown} value
 * @returns {value is JsonObject}
 */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
