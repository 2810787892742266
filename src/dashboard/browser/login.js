import { post } from './requests.js';

const form = /** @type {HTMLFormElement} */ (document.getElementById('login'));
const token = /** @type {HTMLInputElement} */ (document.getElementById('token'));
const refused = /** @type {HTMLElement} */ (document.getElementById('refused'));

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void signIn();
});

async function signIn() {
  refused.textContent = '';
  try {
    await post('/login', { token: token.value });
    location.assign(nextPage());
  } catch (error) {
    refused.textContent = error instanceof Error ? error.message : String(error);
  }
}

/** A page of this dashboard, whatever the address says. */
function nextPage() {
  const next = new URL(new URLSearchParams(location.search).get('next') ?? '/', location.origin);
  return next.origin === location.origin ? next.pathname + next.search : '/';
}
