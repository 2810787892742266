import { h } from '../dom.js';
import { counted, dollars, duration, grouped, time } from '../format.js';
import { address, badge, factList } from '../parts.js';

/** @import { ExtractionData, ShownAttempt, ShownOutcome } from '../../data.ts' */
/** @import { OutcomeError, Problem, ProviderFailure } from '../../../core/contract.ts' */

/** One conversation, attempt by attempt. */
export const extraction = {
  /** @param {URLSearchParams} parameters */
  title: (parameters) => `Extraction ${parameters.get('id') ?? ''}`,
  data: 'extraction',
  /**
   * @param {ExtractionData} data
   * @param {URLSearchParams} parameters
   */
  render: ({ batch, id, schema, strategy, outcome, attempts, webUi }, parameters) => [
    h('div', { class: 'row' }, h('h1', {}, `Extraction ${id}`), outcomeBadge(outcome)),
    h(
      'section',
      { class: 'panel', 'aria-label': 'Facts' },
      factList([
        batch !== null && ['Batch', h('a', { href: address('/batch', { id: batch }) }, batch)],
        schema !== null && ['Schema', schema],
        strategy !== null && ['Strategy', strategy],
        ['Attempts', grouped(attempts.length)],
        ...(outcome === null ? [] : outcomeFacts(outcome)),
      ]),
      h(
        'p',
        { class: 'links' },
        h(
          'button',
          { 'data-show': 'document-text', 'data-batch': batch ?? '', 'data-id': id },
          "Show the document's text",
        ),
        webUi !== null &&
          h(
            'a',
            { href: webUi, target: '_blank', rel: 'noreferrer' },
            batch === null
              ? 'Its workflow in the Temporal Web UI'
              : "Its batch's workflow in the Temporal Web UI",
          ),
      ),
      h('div', { id: 'document-text', 'data-kept': true }),
    ),
    attempts.length === 0 && h('p', { class: 'notice' }, noAnswerYet(outcome)),
    attempts.map((attempt) => attemptSection(attempt, parameters)),
    outcome !== null && unansweredFailures(outcome.errors, attempts),
    outcome?.success &&
      h(
        'section',
        { class: 'panel', 'aria-labelledby': 'record' },
        h('h2', { id: 'record' }, 'The record'),
        h(
          'pre',
          { tabindex: 0, role: 'region', 'aria-label': 'The record' },
          JSON.stringify(outcome.data, null, 2),
        ),
      ),
  ],
};

/** @param {ShownOutcome | null} outcome */
function outcomeBadge(outcome) {
  if (outcome === null) return badge('in work', 'accent');
  if (outcome.correction !== null) return badge('entered by hand', 'good');
  return outcome.success ? badge('extracted', 'good') : badge(`failed: ${outcome.stopped}`, 'bad');
}

/**
 * @param {ShownOutcome} outcome
 * @returns {readonly (readonly [string, import('../dom.js').Child])[]}
 */
function outcomeFacts({ usage, model, simulated, finishedAt, correction }) {
  return [
    ['Calls', grouped(usage.calls)],
    ['Tokens', grouped(usage.promptTokens + usage.completionTokens)],
    ['Cost', dollars(usage.costUsd)],
    ['Model', `${model}${simulated ? ' (simulated)' : ''}`],
    ['Ended', time(finishedAt)],
    ...(correction === null ? [] : [byHand(correction)]),
  ];
}

/**
 * @param {NonNullable<ShownOutcome['correction']>} correction
 * @returns {readonly [string, import('../dom.js').Child]}
 */
function byHand({ by, at }) {
  return ['Entered by hand', [by === null ? '' : `by ${by}, `, time(at)]];
}

/** @param {ShownOutcome | null} outcome */
function noAnswerYet(outcome) {
  return outcome === null
    ? 'The model has not answered yet. This page shows it when it does.'
    : 'The model gave no answer.';
}

/**
 * @param {ShownAttempt} attempt
 * @param {URLSearchParams} parameters
 */
function attemptSection(attempt, parameters) {
  const { round, attempt: number, kind, problem, failures, interrupted } = attempt;
  const title = `Attempt ${number}`;
  const key = `${round}/${number}`;
  return h(
    'section',
    {
      class: `panel attempt ${problem === null ? 'accepted' : 'rejected'}`,
      'data-key': key,
      'aria-label': title,
    },
    h(
      'div',
      { class: 'row' },
      h('h2', {}, title),
      problem === null ? badge('accepted', 'good') : badge(problem.type.replaceAll('_', ' '), 'bad'),
      kind === 'rejudged' && badge('judged again', 'quiet'),
    ),
    failures.length > 0 && failureList(failures),
    interrupted > 0 &&
      h('p', { class: 'muted' }, `${counted(interrupted, 'call')} lost with a worker before it.`),
    asked(attempt),
    h('h3', {}, 'The answer'),
    answerText(attempt, key, parameters),
    problem !== null && problemList(problem),
    attempt.repairs.length > 0 &&
      h(
        'div',
        {},
        h('h3', {}, 'Repaired without a call'),
        h(
          'ul',
          { class: 'plain' },
          attempt.repairs.map(({ path, message }) =>
            h('li', {}, path === '' ? message : `${path}: ${message}`),
          ),
        ),
      ),
    attempt.feedback !== null &&
      h(
        'div',
        {},
        h('h3', {}, 'What the model was told'),
        h(
          'pre',
          {
            class: 'feedback',
            tabindex: 0,
            role: 'region',
            'aria-label': `What the model was told after attempt ${number}`,
          },
          attempt.feedback,
        ),
      ),
  );
}

/** @param {ShownAttempt} attempt */
function asked({ ask, mode, model, askedAt, latencyMs, usage }) {
  return h(
    'div',
    {},
    h('h3', {}, 'What was asked'),
    ask !== null && h('p', {}, ask.why),
    factList([
      ['Model', model],
      ['Mode', mode],
      ['Asked', time(askedAt)],
      ['Answered after', duration(latencyMs)],
      ['Tokens', `${grouped(usage.promptTokens)} in, ${grouped(usage.completionTokens)} out`],
      ['Cost', dollars(usage.costUsd)],
      ask?.fields !== undefined && ['Only these fields', ask.fields.join(', ')],
      ask?.part !== undefined && ['Only a part', `${ask.part.number} of ${ask.part.of}`],
      ask?.maxOutputTokens !== undefined && ['Tokens allowed', grouped(ask.maxOutputTokens)],
    ]),
    ask?.hints !== undefined &&
      h(
        'details',
        {},
        h('summary', {}, `Warned of ${counted(ask.hints.length, 'problem')} beforehand`),
        h(
          'ul',
          { class: 'plain' },
          ask.hints.map((hint) => h('li', {}, hint.replace(/^- /, ''))),
        ),
      ),
  );
}

/** @param {readonly ProviderFailure[]} failures */
function failureList(failures) {
  return h(
    'div',
    {},
    h('h3', {}, 'Calls that brought no answer'),
    h(
      'ul',
      { class: 'plain' },
      failures.map(({ type, status, message, delayMs }) =>
        h(
          'li',
          {},
          h('strong', {}, type.replaceAll('_', ' ')),
          `${status === undefined ? '' : ` (${status})`}: ${message}`,
          h(
            'span',
            { class: 'muted' },
            delayMs === null ? ' – not called again' : ` – called again after ${duration(delayMs)}`,
          ),
        ),
      ),
    ),
  );
}

/**
 * Failures that no attempt tells of: of one that got no answer at all, or could not be made.
 *
 * @param {readonly OutcomeError[]} errors
 * @param {readonly ShownAttempt[]} attempts
 */
function unansweredFailures(errors, attempts) {
  const last = attempts.at(-1)?.attempt ?? 0;
  const rest = errors.filter(({ attempt }) => attempt > last);
  if (rest.length === 0) return null;
  return h(
    'section',
    { class: 'panel attempt rejected', 'aria-labelledby': 'unanswered' },
    h('h2', { id: 'unanswered' }, 'What no answer came to'),
    h(
      'ul',
      { class: 'plain' },
      rest.map(({ type, message }) =>
        h('li', {}, h('strong', {}, type.replaceAll('_', ' ')), `: ${message}`),
      ),
    ),
  );
}

/**
 * @param {ShownAttempt} attempt
 * @param {string} key
 * @param {URLSearchParams} parameters
 */
function answerText({ attempt, answer, answerLength, isCut }, key, parameters) {
  if (answerLength === 0) return h('p', { class: 'muted' }, 'It was empty.');
  const all = new URLSearchParams(parameters);
  all.set('full', key);
  return h(
    'div',
    {},
    h(
      'pre',
      { tabindex: 0, role: 'region', 'aria-label': `The answer to attempt ${attempt}` },
      answer.map(({ text, problems }) =>
        problems.length === 0
          ? text
          : h(
              'mark',
              {},
              text,
              h('sup', {}, h('span', { class: 'hidden' }, ' problem '), problems.join(',')),
            ),
      ),
    ),
    isCut &&
      h('p', {}, h('a', { href: `/extraction?${all}` }, `Show all ${counted(answerLength, 'character')}`)),
  );
}

/** @param {Problem} problem */
function problemList({ type, message, details }) {
  const lines = details.length === 0 ? [message] : details.map(detailText);
  return h(
    'div',
    {},
    h('h3', {}, lines.length === 1 ? 'Its problem' : `Its ${lines.length} problems`),
    h(
      'ol',
      { class: 'problems' },
      lines.map((line) =>
        h('li', {}, type !== 'validation_error' && h('strong', {}, `${type.replaceAll('_', ' ')}: `), line),
      ),
    ),
  );
}

/** @param {Problem['details'][number]} detail */
function detailText({ path, message, received }) {
  const got = received === undefined ? '' : ` (got: ${JSON.stringify(received)})`;
  return [h('code', {}, path === '' ? 'the whole answer' : path), `: ${message}${got}`];
}
