/**
 * Does something. The header is one that no other site's page can send.
 *
 * @param {string} path
 * @param {object} input
 * @returns {Promise<{ readonly said?: string, readonly problems?: readonly import('../../core/contract.ts').ProblemDetail[] }>}
 */
export async function post(path, input) {
  const response = await ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-durable-extract-dashboard': '1' },
    body: JSON.stringify(input),
  });
  return response.json();
}

/**
 * Reads a view once.
 *
 * @param {string} name
 * @param {URLSearchParams} parameters
 */
export async function readView(name, parameters) {
  const response = await ask(`/api/view/${name}?${parameters}`, {});
  return response.json();
}

/** Whether whoever uses this had to sign in. */
export async function isLocked() {
  const response = await ask('/api/access', {});
  const { isLocked: answer } = await response.json();
  return answer === true;
}

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function ask(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Error('The dashboard does not answer. Start it again with: durable-extract up');
  });
  if (response.ok) return response;
  if (response.status === 401 && location.pathname !== '/login') {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  const { error } = await response.json().catch(() => ({ error: `status ${response.status}` }));
  throw new Error(error);
}
