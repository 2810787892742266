import type { Json } from '../../core/json.ts';
import { countTokens } from './chat-request.ts';
import type { Conversation } from './conversation.ts';
import { draw } from './draw.ts';
import {
  FIELD_FAULTS,
  isFieldFault,
  isRepairableFault,
  SEMANTIC_FAULTS,
  type FaultRates,
  type FieldFault,
  type SemanticFault,
  type WholeFault,
} from './faults.ts';
import { namedFields, normalPath } from './feedback.ts';
import type { SchemaReading } from './field.ts';
import { planMistakes, type Mistake } from './mistakes.ts';
import { extract } from './reading/extract.ts';
import { renderAsNotes, renderWithFault } from './render.ts';
import { fieldsOf, valueAt } from './wanted-fields.ts';
import { isWarnedOf } from './warnings.ts';

/** What the simulated model says. */
export interface Answer {
  readonly text: string;
  readonly refusal: string | null;
  readonly finish: 'stop' | 'length' | 'content_filter';
  /** The kind of fault that is in this answer; null where none is. */
  readonly fault: SemanticFault | null;
  /** The wrong fields, by their paths in normal form. */
  readonly wrongFields: readonly string[];
  readonly completionTokens: number;
}

/** What an answer depends on, and nothing else: the same question has the same answer. */
export interface Question {
  readonly conversation: Conversation;
  /** Null where no JSON is asked for. */
  readonly schema: SchemaReading | null;
  readonly rates: FaultRates;
  /** The seed and the key of the document. */
  readonly seed: readonly (string | number)[];
  /** The most that may be said: the caller's cap, or the model's own. */
  readonly maxTokens: number | null;
  /** Whether this call allows more tokens than the first call for the same document. */
  readonly capRaised: boolean;
  /** Whether a strict schema rules out mistakes of syntax and shape. */
  readonly heldToSchema: boolean;
}

/** Answers a question, with the faults that its seed draws and its feedback has not corrected. */
export function answer(question: Question): Answer {
  const drawn = drawFault(question);
  const { schema, conversation, seed } = question;
  const whole = schema === null ? null : extract(schema, conversation.document, absence(question)).value;
  const data = whole === null ? null : asWanted(whole, question);
  const right = schema === null ? plainReply(conversation) : JSON.stringify(data);
  if (drawn === null) return capped(spoken(right), question);
  if (isFieldFault(drawn)) {
    if (schema === null) return capped(spoken(right), question);
    return capped(withWrongFields(whole, schema, drawn, question), question);
  }
  if (isCorrected(drawn, question)) return capped(spoken(right), question);
  if (isRepairableFault(drawn)) {
    const text = schema === null ? right : renderWithFault(data, drawn, ...seed);
    return capped(spoken(text, schema === null ? null : drawn), question);
  }
  return capped(spoiled(drawn, right, data, seed), question);
}

/** The record, or the fields of it that are asked for. */
function asWanted(whole: Json, { conversation: { wanted } }: Question): Json {
  return wanted === null ? whole : fieldsOf(whole, wanted.paths);
}

/** What is said of a required field that the document does not state. */
function absence({ rates, seed }: Question): 'guessed' | 'null' {
  return draw('absent', ...seed) < (rates.absent ?? 0) ? 'null' : 'guessed';
}

/** Cuts what does not fit under the caller's cap. */
function capped(said: Answer, { maxTokens }: Question): Answer {
  const tokens = countTokens(said.text) + countTokens(said.refusal ?? '');
  if (maxTokens === null || tokens <= maxTokens || said.refusal !== null) {
    return { ...said, completionTokens: tokens };
  }
  return { ...said, text: said.text.slice(0, maxTokens * 4), finish: 'length', completionTokens: maxTokens };
}

function spoken(text: string, fault: SemanticFault | null = null): Answer {
  return { text, refusal: null, finish: 'stop', fault, wrongFields: [], completionTokens: 0 };
}

const SHAPE_FAULTS: ReadonlySet<SemanticFault> = new Set<SemanticFault>([
  ...SEMANTIC_FAULTS.filter(isRepairableFault),
  ...FIELD_FAULTS.filter((kind) => kind !== 'constraint'),
  'json_garbage',
]);

/** The one fault a document draws, whatever was said about it since. */
function drawFault({ rates, seed, heldToSchema }: Question): SemanticFault | null {
  const total = SEMANTIC_FAULTS.reduce((sum, kind) => sum + (rates[kind] ?? 0), 0);
  if (total === 0) return null;
  let left = draw('fault', ...seed) * Math.max(1, total);
  for (const kind of SEMANTIC_FAULTS) {
    left -= rates[kind] ?? 0;
    if (left < 0) return heldToSchema && SHAPE_FAULTS.has(kind) ? null : kind;
  }
  return null;
}

function withWrongFields(
  right: Json,
  { root }: SchemaReading,
  first: FieldFault,
  question: Question,
): Answer {
  const { rates, seed } = question;
  const mistakes = planMistakes({ root, data: right, first, rates, seed }).filter(
    (mistake) => !isMended(mistake, right, question),
  );
  const spoiledData = JSON.parse(JSON.stringify(right)) as Json;
  for (const { make } of mistakes) make(spoiledData);
  const seen = mistakes.filter(({ names }) => isAskedFor(names[0] ?? '', question));
  return {
    ...spoken(JSON.stringify(asWanted(spoiledData, question)), seen[0]?.kind ?? null),
    wrongFields: seen.map(({ names }) => names[0] ?? ''),
  };
}

/** Whether a mistake was warned of, was put right already, or was named often enough since it was made. */
function isMended(mistake: Mistake, right: Json, { conversation, rates, seed }: Question): boolean {
  const { names, patience } = mistake;
  const { feedback, warned, lastAnswer } = conversation;
  if (patience === Number.POSITIVE_INFINITY) return false;
  if (names.some((name) => isWarnedOf(warned, name))) return true;
  if (lastAnswer !== null && hadRight(lastAnswer, mistake, right)) return true;
  if (isAnchored(rates, seed)) return false;
  const named = feedback.map(namedFields);
  const times = named.filter((fields) => names.some((name) => fields.has(name))).length;
  return times >= patience;
}

/** Whether an answer had the right value there, which a model that is shown it keeps. */
function hadRight(answered: string, { at, make }: Mistake, right: Json): boolean {
  try {
    const given = JSON.parse(answered) as Json;
    if (JSON.stringify(valueAt(given, at)) !== JSON.stringify(valueAt(right, at))) return false;
    const whole = JSON.stringify(given);
    make(given);
    return JSON.stringify(given) !== whole;
  } catch {
    return false; // no JSON, so nothing in it was right
  }
}

function isAnchored({ anchored = 0 }: FaultRates, seed: Question['seed']): boolean {
  return draw('anchored', ...seed) < anchored;
}

/** Whether a field is in what is asked for, or around it. */
function isAskedFor(name: string, { conversation: { wanted } }: Question): boolean {
  if (wanted === null) return true;
  return wanted.paths.map(normalPath).some((path) => isInside(name, path) || isInside(path, name));
}

function isInside(name: string, around: string): boolean {
  return name === around || name.startsWith(`${around}.`);
}

const REFRAMED =
  /data[- ]extraction|extract\w*[^.]{0,40}\bfrom\b[^.]{0,40}\b(?:supplied|provided|given)\b|supplied by|(?:supplied|provided) document/i;

/** Whether what was said since the fault was made puts it right. */
function isCorrected(fault: SemanticFault, { conversation, capRaised, rates, seed }: Question): boolean {
  if (rates.stubborn === Number.POSITIVE_INFINITY) return false;
  const told = (pattern: RegExp): boolean => conversation.feedback.some((message) => pattern.test(message));
  if (fault === 'truncated_length' || fault === 'truncated_silent') {
    return capRaised || conversation.wanted !== null || told(/cut off|truncated|complete/i);
  }
  if (fault === 'refused' || fault === 'refused_text') {
    if (conversation.attempt > 1 && isAnchored(rates, seed)) return false;
    return conversation.remarks.some((remark) => REFRAMED.test(remark));
  }
  if (fault === 'content_filter') return false;
  return told(fault === 'empty' ? /empty|answer/i : /json/i);
}

const REFUSAL = "I'm sorry, but I can't help with that request.";

function spoiled(fault: WholeFault, right: string, data: Json, seed: readonly (string | number)[]): Answer {
  const cut = right.slice(
    0,
    Math.max(1, Math.min(right.length - 2, Math.floor(right.length * (0.35 + 0.5 * draw('cut', ...seed))))),
  );
  switch (fault) {
    case 'truncated_length':
      return { ...spoken(cut, fault), finish: 'length' };
    case 'truncated_silent':
      return spoken(cut, fault);
    case 'refused':
      return { ...spoken('', fault), refusal: REFUSAL };
    case 'refused_text':
      return spoken(`${REFUSAL} The text may contain personal information.`, fault);
    case 'empty':
      return spoken('', fault);
    case 'content_filter':
      return { ...spoken(cut.slice(0, 20), fault), finish: 'content_filter' };
    case 'json_garbage':
      return data === null ? spoken(right) : spoken(renderAsNotes(data), fault);
    default:
      return fault satisfies never;
  }
}

/** What is said where no JSON was asked for. */
function plainReply({ document }: Conversation): string {
  const start = document.trim().split(/\s+/).slice(0, 12).join(' ');
  return `This is a simulated answer; no language model was asked. You wrote: "${start}"`;
}
