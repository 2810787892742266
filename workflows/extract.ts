import { defineQuery, setHandler } from '@temporalio/workflow';
import type { ConversationState, ExtractInput, Outcome } from '../src/core/contract.ts';
import { converse, openConversation, stateOf } from './conversation.ts';
import type { Conversation } from './conversation.ts';
import { prepareExtraction } from './planning.ts';

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
  setHandler(conversationQuery, () => (conversation === undefined ? null : stateOf(conversation)));

  const prepared = await prepareExtraction(input);
  conversation = openConversation(input.document.text, prepared);
  return converse(conversation);
}
