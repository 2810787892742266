/** The frame of all views: which one is shown, its data, and what is done in it. */
import { act, readForm } from './actions.js';
import { h, nodesOf, patch } from './dom.js';
import { follow } from './live.js';
import { showDocument } from './document-text.js';
import { say } from './messages.js';
import { batch } from './views/batch.js';
import { batches } from './views/batches.js';
import { extraction } from './views/extraction.js';
import { extractions } from './views/extractions.js';
import { gates } from './views/gates.js';
import { overview } from './views/overview.js';
import { correct, reviews } from './views/review.js';
import { isLocked, post, readView } from './requests.js';

/**
 * One view: what it is called, which data it shows, and how. `isOnce`: it is read once, since somebody types in it.
 *
 * @typedef {{
 *   readonly title: (parameters: URLSearchParams) => string,
 *   readonly data: string,
 *   readonly isOnce?: boolean,
 *   readonly render: (data: any, parameters: URLSearchParams, go: (address: string) => void) => import('./dom.js').Child,
 * }} View
 */

/** @type {Readonly<Record<string, View>>} */
const VIEWS = {
  '/': overview,
  '/batches': batches,
  '/batch': batch,
  '/extractions': extractions,
  '/extraction': extraction,
  '/gates': gates,
  '/review': reviews,
  '/correct': correct,
};

/** Those that the navigation names, each with the views that belong to it. */
const NAVIGATION = /** @type {const} */ ([
  ['/', 'Overview', ['/']],
  ['/batches', 'Batches', ['/batches', '/batch']],
  ['/extractions', 'Extractions', ['/extractions', '/extraction']],
  ['/gates', 'Gates', ['/gates']],
  ['/review', 'Review', ['/review', '/correct']],
]);

const CONNECTION = { connecting: 'connecting…', live: 'live', lost: 'connection lost, trying again…' };

const main = /** @type {HTMLElement} */ (document.getElementById('main'));
const connection = /** @type {HTMLElement} */ (document.getElementById('connection'));
const theme = /** @type {HTMLSelectElement} */ (document.getElementById('theme'));

let unfollow = () => {};
let shownPath = '';

/** @param {'fresh' | 'kept'} page */
function show(page) {
  const { pathname } = location;
  const parameters = new URLSearchParams(location.search);
  const view = VIEWS[pathname];
  unfollow();
  connection.hidden = false;
  showNavigation();
  if (view === undefined) return showProblem('There is no such page. Choose one above.');
  document.title = `${view.title(parameters)} · durable-extract`;
  if (page === 'fresh' || pathname !== shownPath) {
    main.replaceChildren(
      h('h1', {}, view.title(parameters)),
      h('p', { class: 'muted', 'aria-busy': 'true' }, 'Loading…'),
    );
    if (shownPath !== '') main.focus();
  }
  shownPath = pathname;
  unfollow = view.isOnce
    ? showOnce(view, parameters)
    : follow(view.data, parameters, {
        onData: (data) => patch(main, view.render(data, parameters, goFresh)),
        onProblem: showProblem,
        onConnection(state) {
          connection.textContent = CONNECTION[state];
          connection.dataset['state'] = state;
        },
      });
}

/**
 * @param {View} view
 * @param {URLSearchParams} parameters
 */
function showOnce(view, parameters) {
  connection.hidden = true;
  const shown = location.href;
  const draw = (/** @type {unknown} */ data) => {
    if (location.href === shown) main.replaceChildren(...nodesOf(view.render(data, parameters, goFresh)));
  };
  void readView(view.data, parameters)
    .then(draw)
    .catch((/** @type {Error} */ error) => showProblem(error.message));
  return () => {};
}

function showNavigation() {
  const items = NAVIGATION.map(([path, name, paths]) => {
    const isHere = paths.some((each) => each === location.pathname);
    return h('li', {}, h('a', { href: path, 'aria-current': isHere && 'page' }, name));
  });
  patch(/** @type {HTMLElement} */ (document.getElementById('views')), items);
}

/** @param {string} message */
function showProblem(message) {
  patch(main, [
    h('h1', {}, 'This cannot be shown'),
    h('p', { class: 'notice bad', role: 'alert' }, message),
    h(
      'p',
      {},
      h('a', { href: location.pathname }, 'Try again'),
      ' or ',
      h('a', { href: '/' }, 'go to the overview'),
      '.',
    ),
  ]);
}

/**
 * @param {string} address
 * @param {'fresh' | 'kept'} page
 */
function go(address, page) {
  history.pushState(null, '', address);
  show(page);
}

/** @param {string} address */
function goFresh(address) {
  go(address, 'fresh');
}

document.addEventListener('click', (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const button = target?.closest('button[data-act]');
  if (button instanceof HTMLButtonElement && button.form === null) {
    void act(button).then(say);
    return;
  }
  const shower = target?.closest('button[data-show]');
  if (shower instanceof HTMLButtonElement) {
    void showDocument(shower);
    return;
  }
  const link = target?.closest('a');
  const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || link.origin !== location.origin || link.target !== '' || link.download !== '')
    return;
  if (link.hash !== '' && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.href, 'fresh');
});

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.method === 'dialog' || form.dataset['own'] !== undefined)
    return;
  event.preventDefault();
  if (form.dataset['act'] === undefined) applyFilter(form);
  else void act(form).then(say);
});

document.addEventListener('change', (event) => {
  const form = event.target instanceof HTMLSelectElement ? event.target.form : null;
  if (form?.dataset['filter'] !== undefined) applyFilter(form);
});

/** @param {HTMLFormElement} form */
function applyFilter(form) {
  const chosen = Object.entries(readForm(form)).filter(([, value]) => value !== '');
  const query = new URLSearchParams(chosen.map(([name, value]) => [name, String(value)]));
  go(query.size === 0 ? location.pathname : `${location.pathname}?${query}`, 'kept');
}

theme.value = localStorage.getItem('theme') ?? '';
theme.addEventListener('change', () => {
  localStorage.setItem('theme', theme.value);
  if (theme.value === '') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
});

const signOut = /** @type {HTMLButtonElement} */ (document.getElementById('sign-out'));
signOut.addEventListener('click', () => void post('/logout', {}).then(() => location.assign('/login')));

async function showSignOut() {
  signOut.hidden = !(await isLocked());
}

window.addEventListener('popstate', () => show('fresh'));
show('fresh');
void showSignOut();
