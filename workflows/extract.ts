import { defineQuery, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { AskInput } from '../activities/ask.ts';
import type { ConversationState, ExtractInput, Outcome } from '../src/core/contract.ts';
import type { PreparedExtraction } from '../src/core/prepared.ts';
import type { Ask } from '../src/core/strategy.ts';
import { converse, openConversation, stateOf } from './conversation.ts';
import type { Conversation } from './conversation.ts';
import { prepareExtraction, store } from './house-activities.ts';
import { detourOf, modelActivitiesFor, spentBy } from './model-activities.ts';
import { awaitReview, listenForReview } from './review.ts';
import type { Review } from './review.ts';
import { tellSearch } from './search-attributes.ts';
import { storedOutcome } from './stored-outcome.ts';

/** Turns and errors so far; null before the input has been checked. */
export const conversationQuery = defineQuery<ConversationState | null>('conversation');

/**
 * One document, one schema, one outcome.
 *
 * Fails with type `invalid_input`, before any call, where the input or its schema is wrong. An extraction that gives up
 * is an outcome, not a failure.
 */
export async function extract(input: ExtractInput): Promise<Outcome> {
  let conversation: Conversation | undefined;
  setHandler(conversationQuery, () => {
    if (conversation === undefined) return null;
    const state = stateOf(conversation);
    return review.waiting !== undefined ? { ...state, status: 'review' } : state;
  });

  const review: Review = { waiting: undefined, decided: undefined };
  listenForReview(review);

  const { document } = input;
  // A later run under the same id is another round.
  const round = workflowInfo().startTime.getTime();
  const settings = await prepareExtraction(input);
  conversation = openConversation(settings);
  const tell = searchTeller(settings, document);
  const outcome = await converse(conversation, {
    show: (about, headline) => {
      show(about, headline);
      tell(about);
    },
    ask: (about, how, plan) =>
      modelActivitiesFor(settings, { summary: how.why, plan }).ask({
        document,
        settings,
        round,
        ask: how,
        ...detourOf(plan, settings),
        ...carriedBy(about, how),
        spent: spentBy(about),
      }),
  });
  const stored = storedOutcome(conversation, outcome);
  await store.recordExtraction({ id: document.id, round, outcome: stored });
  if (stored.reviewUntil === undefined) return outcome;
  const waiting = { outcome, settings, id: document.id, round };
  const reviewed = await awaitReview(review, waiting, stored.reviewUntil);
  if (reviewed.success) tellSearch(settings, { outcome: 'success' });
  return reviewed;
}

/** Tells the server by what this extraction is found, whenever an answer was rejected, and at its end. */
function searchTeller(
  settings: PreparedExtraction,
  document: ExtractInput['document'],
): (conversation: Conversation) => void {
  tellSearch(settings, {
    schema: settings.schema.name,
    model: `${settings.provider}/${settings.model}`,
    ...('batch' in document ? { batch: document.batch } : {}),
  });
  let told = 0;
  return ({ rejected, errors, outcome }) => {
    if (outcome === undefined && rejected.length === told) return;
    told = rejected.length;
    tellSearch(settings, {
      attempts: outcome?.attempts ?? told,
      lastProblem: errors.at(-1)?.type,
      ...(outcome === undefined ? {} : { outcome: outcome.stopped ?? 'success', model: outcome.model }),
    });
  };
}

/** What an attempt is told of the ones before it. */
function carriedBy(
  { turns, record, rejected }: Conversation,
  { carry, fields, part }: Ask,
): Pick<AskInput, 'turns' | 'last'> {
  const problem = rejected.at(-1)?.problem;
  const isOfFields = fields !== undefined || part !== undefined;
  return {
    turns: carry === 'all-turns' ? turns : carry === 'last-turn' ? turns.slice(-1) : [],
    ...(isOfFields && record !== undefined && problem !== undefined ? { last: { record, problem } } : {}),
  };
}

/** What a person reads in the Web UI. Field names and messages only: values can be personal data. */
function show({ prepared, rejected }: Conversation, headline: string): void {
  const lines = rejected.flatMap(({ attempt, problem, ask }) => [
    `- ${ask.why}`,
    `- attempt ${attempt}: ${problem.type}`,
    ...problem.details.map(({ path, message }) => `    - \`${path || '(answer)'}\`: ${message}`),
  ]);
  setCurrentDetails([`**${headline}**`, describe(prepared), ...lines].join('\n\n'));
}

function describe({ simulated, strategy, provider, model }: PreparedExtraction): string {
  return `${strategy} · ${provider}/${model}${simulated ? ' · simulated provider' : ''}`;
}
