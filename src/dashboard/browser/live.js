import { readView } from './requests.js';

const TRY_AGAIN_MS = 2_000;

/**
 * Follows a view: its data now, and each time it changes. While nobody sees the page, nothing is read.
 *
 * @param {string} name
 * @param {URLSearchParams} parameters
 * @param {{
 *   readonly onData: (data: unknown) => void,
 *   readonly onProblem: (message: string) => void,
 *   readonly onConnection: (state: 'connecting' | 'live' | 'lost') => void,
 * }} listener
 * @returns {() => void} that ends it.
 */
export function follow(name, parameters, { onData, onProblem, onConnection }) {
  /** @type {EventSource | undefined} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    source = new EventSource(`/api/live/${name}?${parameters}`);
    source.addEventListener('open', () => onConnection('live'));
    source.addEventListener('message', ({ data }) => onData(JSON.parse(data)));
    source.addEventListener('problem', ({ data }) => onProblem(JSON.parse(data).message));
    source.addEventListener('error', () => {
      onConnection('lost');
      // A refusal ends it; a lost connection is tried again by the browser itself.
      if (source?.readyState === EventSource.CLOSED) void learnWhy();
    });
  };
  const learnWhy = async () => {
    close();
    timer = setTimeout(open, TRY_AGAIN_MS);
    await readView(name, parameters).catch((/** @type {Error} */ error) => onProblem(error.message));
  };
  const onVisibility = () => {
    if (document.visibilityState === 'hidden') close();
    else if (source === undefined) open();
  };
  document.addEventListener('visibilitychange', onVisibility);
  onConnection('connecting');
  open();
  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    close();
  };
}
