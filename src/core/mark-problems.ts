/** Where in an answer's text its problems are. */
import type { Problem, ProblemDetail } from './contract.ts';
import { findJson } from './find-json.ts';
import { formatPath, parsePath } from './json-path.ts';
import type { PathStep } from './json-path.ts';
import type { Token } from './scan-json.ts';

/** A stretch of an answer's text. */
export interface MarkedPiece {
  readonly text: string;
  /** Which problems are here, from 1 as they are listed; empty where none is. */
  readonly problems: readonly number[];
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where a field stands: its key (its value, in a list) and its value. */
interface Place {
  readonly key: Span;
  readonly value: Span;
  readonly isContainer: boolean;
}

interface Mark extends Span {
  readonly problems: readonly number[];
}

const PLACE_OF_SYNTAX_ERROR = / at line (\d+), column (\d+): near /;

/**
 * The answer cut where problems begin and end. A missing field is marked at the bracket of the object that lacks it, an unknown
 * one at its key, a syntax error at its character, what was cut off at the end. A problem whose place is not found is left out:
 * of an answer that repeats a part of an earlier record, for one.
 */
export function markProblems(answer: string, problem: Problem): readonly MarkedPiece[] {
  return piecesOf(answer, disjoint(marksOf(answer, problem)));
}

function marksOf(answer: string, { type, message, details }: Problem): readonly Mark[] {
  if (type === 'truncated') {
    const end = answer.trimEnd().length;
    return [{ start: Math.max(0, end - 1), end, problems: [1] }];
  }
  if (type === 'json_error') {
    const offset = offsetOf(answer, message);
    return offset === undefined ? [] : [{ start: offset, end: offset + 1, problems: [1] }];
  }
  if (details.length === 0) return [];
  const places = placesIn(answer);
  return details.flatMap((detail, index) => {
    const span = spanOf(places, detail);
    return span === undefined ? [] : [{ ...span, problems: [index + 1] }];
  });
}

function offsetOf(answer: string, message: string): number | undefined {
  const [, line, column] = PLACE_OF_SYNTAX_ERROR.exec(message) ?? [];
  if (line === undefined) return undefined;
  const before = answer.split('\n').slice(0, Number(line) - 1);
  const offset = before.reduce((sum, text) => sum + text.length + 1, 0) + Number(column) - 1;
  return Math.min(offset, Math.max(0, answer.trimEnd().length - 1));
}

function spanOf(places: ReadonlyMap<string, Place>, { path, kind }: ProblemDetail): Span | undefined {
  const place = places.get(path);
  if (place === undefined) return kind === 'missing' ? bracketAbove(places, path) : undefined;
  if (kind === 'unknown_field') return place.key;
  const isWhole = !place.isContainer || (kind === 'wrong_type' && path !== '');
  return isWhole ? place.value : { start: place.value.start, end: place.value.start + 1 };
}

/** The bracket of the innermost value on the way to a path that is there. */
function bracketAbove(places: ReadonlyMap<string, Place>, path: string): Span | undefined {
  const steps = parsePath(path) ?? [];
  for (let length = steps.length - 1; length >= 0; length -= 1) {
    const above = places.get(formatPath(steps.slice(0, length)));
    if (above !== undefined) return { start: above.value.start, end: above.value.start + 1 };
  }
  return undefined;
}

/** One value that is being walked through. */
interface Open {
  readonly steps: readonly PathStep[];
  readonly key: Span;
  readonly start: number;
  readonly isList: boolean;
  index: number;
  /** The key whose value comes next. */
  next: Token | undefined;
}

/** By path, all values of the JSON that comes last. Also where it gives single fields, each under its path. */
function placesIn(answer: string): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  const search = findJson(answer);
  const tokens = search.status === 'found' ? (search.found.at(-1)?.scan.tokens ?? []) : [];
  const open: Open[] = [];
  for (const token of tokens) {
    const top = open.at(-1);
    if (token.text === ':' && token.kind === 'punctuation') continue;
    if (token.text === ',' && token.kind === 'punctuation') {
      if (top !== undefined) {
        top.index += 1;
        top.next = undefined;
      }
    } else if (token.kind === 'punctuation' && (token.text === '}' || token.text === ']')) {
      open.pop();
      if (top !== undefined) {
        const value = { start: top.start, end: token.end };
        places.set(formatPath(top.steps), { key: top.key, value, isContainer: true });
      }
    } else if (top !== undefined && !top.isList && top.next === undefined) {
      top.next = token;
    } else {
      const steps = stepsTo(top);
      const key = top?.next ?? token;
      if (token.kind === 'punctuation') {
        const isList = token.text === '[';
        open.push({ steps, key, start: token.start, isList, index: 0, next: undefined });
      } else {
        places.set(formatPath(steps), { key, value: token, isContainer: false });
      }
    }
  }
  return places;
}

function stepsTo(parent: Open | undefined): readonly PathStep[] {
  if (parent === undefined) return [];
  if (parent.isList) return [...parent.steps, parent.index];
  const key = parent.next?.text ?? '';
  const path = parent.steps.length === 0 ? parsePath(key) : undefined;
  return path !== undefined && path.length > 1 ? path : [...parent.steps, key];
}

/** In order; those at one place are one, and one that reaches into the next ends there. */
function disjoint(marks: readonly Mark[]): readonly Mark[] {
  const sorted = marks.toSorted((a, b) => a.start - b.start || a.end - b.end);
  const apart: Mark[] = [];
  for (const mark of sorted) {
    const last = apart.at(-1);
    if (last?.start === mark.start) {
      apart[apart.length - 1] = { ...last, problems: [...last.problems, ...mark.problems] };
    } else {
      if (last !== undefined && last.end > mark.start) apart[apart.length - 1] = { ...last, end: mark.start };
      apart.push(mark);
    }
  }
  return apart;
}

function piecesOf(text: string, marks: readonly Mark[]): readonly MarkedPiece[] {
  const pieces: MarkedPiece[] = [];
  let at = 0;
  for (const { start, end, problems } of marks) {
    if (start > at) pieces.push({ text: text.slice(at, start), problems: [] });
    pieces.push({ text: text.slice(start, end), problems });
    at = end;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), problems: [] });
  return pieces;
}
