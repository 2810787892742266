/**
 * The page as a function of data: `h` makes new nodes, `patch` makes those on the page like them. Whatever a model or a
 * document wrote is text: nothing here reads markup.
 */

/** @typedef {Node | string | number | null | undefined | false | readonly Child[]} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

const SVG = /** @type {const} */ ('http://www.w3.org/2000/svg');
const SVG_TAGS = new Set(['svg', 'rect', 'title']);

/**
 * What is not seen, or turns the direction of what is: controls, marks of direction, blanks without width, halves of
 * characters. Line breaks and tabs are seen.
 */
const UNSEEN =
  // eslint-disable-next-line no-control-regex -- these are looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * Text in which nothing is hidden: `␀` for a null, `⟨U+202E⟩` for what has no picture.
 *
 * @param {string} text
 */
export function visible(text) {
  return text.replace(UNSEEN, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return '\u2421';
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
  });
}

/** Other attributes hold ids and addresses, which stay what they are. */
const READ_BY_PEOPLE = new Set(['aria-label', 'title']);

/**
 * An element. An attribute that is `false`, `null` or `undefined` is not there.
 *
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElement | SVGElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    const text = value === true ? '' : String(value);
    element.setAttribute(name, READ_BY_PEOPLE.has(name) ? visible(text) : text);
  }
  element.append(...nodesOf(children));
  return element;
}

/**
 * @param {Child} child
 * @returns {Node[]}
 */
export function nodesOf(child) {
  if (child === null || child === undefined || child === false) return [];
  if (child instanceof Node) return [child];
  if (typeof child === 'object') return child.flatMap(nodesOf);
  const text = String(child);
  return text === '' ? [] : [document.createTextNode(visible(text))];
}

/**
 * Makes a parent's children like these, keeping the nodes that are alike: so that focus, scrolling, open details and what is
 * being typed stay. Elements of the same `data-key` are the same.
 *
 * @param {Element} parent
 * @param {Child} children
 */
export function patch(parent, children) {
  patchNodes(parent, nodesOf(children));
}

/**
 * @param {Node} parent
 * @param {readonly Node[]} wanted
 */
function patchNodes(parent, wanted) {
  let at = parent.firstChild;
  for (const node of wanted) {
    const kept = findAlike(at, node);
    if (kept === null) {
      parent.insertBefore(node, at);
      continue;
    }
    if (kept === at) at = at.nextSibling;
    else parent.insertBefore(kept, at);
    update(kept, node);
  }
  while (at !== null) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/**
 * The next one for one without a key; any one that follows for one with a key.
 *
 * @param {ChildNode | null} from
 * @param {Node} node
 * @returns {ChildNode | null}
 */
function findAlike(from, node) {
  const key = keyOf(node);
  for (let candidate = from; candidate !== null; candidate = candidate.nextSibling) {
    if (candidate.nodeName === node.nodeName && keyOf(candidate) === key) return candidate;
    if (key === undefined) return null;
  }
  return null;
}

/** @param {Node} node */
function keyOf(node) {
  return node instanceof HTMLElement ? node.dataset['key'] : undefined;
}

/**
 * @param {Node} kept
 * @param {Node} wanted
 */
function update(kept, wanted) {
  if (!(kept instanceof Element && wanted instanceof Element)) {
    if (kept.nodeValue !== wanted.nodeValue) kept.nodeValue = wanted.nodeValue;
    return;
  }
  // Whether details are open is whoever reads them to say.
  for (const name of kept.getAttributeNames()) {
    if (name !== 'open' && !wanted.hasAttribute(name)) kept.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (name !== 'open' && kept.getAttribute(name) !== value) kept.setAttribute(name, value);
  }
  // What stands in it was put there by other hands.
  if (!wanted.hasAttribute('data-kept')) patchNodes(kept, [...wanted.childNodes]);
}
