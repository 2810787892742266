import { createHash } from 'node:crypto';
import type { JsonObject } from '../../core/json.ts';
import type { ChatRequest, Message } from './chat-request.ts';
import { findPromptSchema, type PromptSchema } from './prompt-schema.ts';
import { wantedFieldsIn, type WantedFields } from './wanted-fields.ts';
import { warnedFields } from './warnings.ts';

/** What the messages say: what to extract, from what, and what was said about earlier answers. */
export interface Conversation {
  readonly document: string;
  readonly schema: JsonObject | null;
  /** What the user, or the tool, said of an answer of the model; oldest first. */
  readonly feedback: readonly string[];
  /** What the user said besides the document, feedback included. */
  readonly remarks: readonly string[];
  /** Where not the whole record is asked for. */
  readonly wanted: WantedFields | null;
  /** The fields that the user warned of, in normal form. */
  readonly warned: ReadonlySet<string>;
  /** The model's last answer in the messages; null where none is. */
  readonly lastAnswer: string | null;
  /** Answers of the model in the messages, plus one. */
  readonly attempt: number;
}

/** The name of a document in the provider's log: the first 16 hex digits of the SHA-256 of its text. */
export function documentHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Reads the messages of a request. */
export function readConversation({ messages, form }: ChatRequest): Conversation {
  const written = 'schema' in form ? null : schemaInMessages(messages);
  const schema = 'schema' in form ? form.schema : (written?.found.schema ?? null);
  const place = documentPlace(messages);
  const later = messages.slice(place + 1);
  const firstAnswer = later.findIndex(({ role }) => role === 'assistant');
  const remarks = saidByUser(later);
  const feedback = firstAnswer === -1 ? [] : saidByUser(later.slice(firstAnswer));
  const wanted = wantedFieldsIn(remarks);
  return {
    document: documentIn(messages[place], written),
    schema,
    // It names what was wrong with an answer, which need not be among the messages.
    feedback: wanted === null || feedback.includes(wanted.text) ? feedback : [...feedback, wanted.text],
    remarks,
    wanted,
    warned: warnedFields(remarks),
    lastAnswer: later.findLast(({ role }) => role === 'assistant')?.text ?? null,
    attempt: 1 + later.filter(({ role }) => role === 'assistant').length,
  };
}

/** A tool's message stands for the user: it answers the model's call. */
function saidByUser(messages: readonly Message[]): readonly string[] {
  return messages.filter(({ role }) => role === 'user' || role === 'tool').map(({ text }) => text);
}

const TAGGED = /^[ \t]*<document\b[^>\n]*>[ \t]*\n([^]*)\n[ \t]*<\/document>/m;

/** The last user message with document tags; else the first user message; else the last message. */
function documentPlace(messages: readonly Message[]): number {
  const tagged = messages.findLastIndex(({ role, text }) => role === 'user' && TAGGED.test(text));
  if (tagged !== -1) return tagged;
  const first = messages.findIndex(({ role }) => role === 'user');
  return first === -1 ? messages.length - 1 : first;
}

interface WrittenSchema {
  readonly message: Message;
  readonly found: PromptSchema;
}

function documentIn(message: Message | undefined, written: WrittenSchema | null): string {
  if (message === undefined) return '';
  const tagged = TAGGED.exec(message.text)?.[1];
  if (tagged !== undefined) return tagged;
  if (written?.message !== message) return message.text;
  return message.text.slice(0, written.found.start) + message.text.slice(written.found.end);
}

const schemasByText = new Map<string, PromptSchema | null>();
const MOST_TEXTS_REMEMBERED = 200;

function schemaInMessages(messages: readonly Message[]): WrittenSchema | null {
  for (const wanted of ['system', 'user'] as const) {
    for (const message of messages) {
      if (message.role !== wanted) continue;
      const found = wanted === 'system' ? rememberedSchema(message.text) : findPromptSchema(message.text);
      if (found !== null) return { message, found };
    }
  }
  return null;
}

/** System messages repeat from call to call, so what was found in them is remembered. */
function rememberedSchema(text: string): PromptSchema | null {
  const remembered = schemasByText.get(text);
  if (remembered !== undefined) return remembered;
  const found = findPromptSchema(text);
  if (schemasByText.size >= MOST_TEXTS_REMEMBERED) schemasByText.clear();
  schemasByText.set(text, found);
  return found;
}
