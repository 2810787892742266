/** The faults the simulated provider can commit, and how often. */

/** Mistakes of syntax that a reader can repair without asking again. */
export const REPAIRABLE_FAULTS = [
  'json_fenced',
  'json_prose',
  'json_trailing_commas',
  'json_single_quotes',
  'json_unquoted_keys',
  'json_python_literals',
  'json_comments',
] as const;
export type RepairableFault = (typeof REPAIRABLE_FAULTS)[number];

/**
 * Mistakes in single fields: each is corrected when feedback names its field, and not made where a warning does.
 * `unless_warned` is a wrong type of the one field that the model finds hardest in a schema, the same for all documents.
 */
export const FIELD_FAULTS = [
  'missing',
  'wrong_type_lossless',
  'wrong_type',
  'unknown_field',
  'constraint',
  'unless_warned',
] as const;
export type FieldFault = (typeof FIELD_FAULTS)[number];

/** Mistakes of an answer as a whole. */
export const WHOLE_FAULTS = [
  'json_garbage',
  'truncated_length',
  'truncated_silent',
  'refused',
  'refused_text',
  'empty',
  'content_filter',
] as const;
export type WholeFault = (typeof WHOLE_FAULTS)[number];

export const SEMANTIC_FAULTS = [...REPAIRABLE_FAULTS, ...WHOLE_FAULTS, ...FIELD_FAULTS] as const;
/** What can be wrong with an answer. */
export type SemanticFault = (typeof SEMANTIC_FAULTS)[number];

export const PROVIDER_FAULTS = [
  'rate_limit',
  'quota_exhausted',
  'server_error',
  'overloaded',
  'reset_before',
  'reset_mid_body',
  'hang',
  'slow',
  'client_error',
  'auth',
  'conflict',
  'request_timeout',
] as const;
/** What can keep a call from being answered; `slow` is answered late. */
export type ProviderFault = (typeof PROVIDER_FAULTS)[number];

export const FAULT_KINDS = [...SEMANTIC_FAULTS, ...PROVIDER_FAULTS] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/**
 * How often each fault happens, from 0 to 1. Semantic faults are drawn once for each document (where
 * their rates add up to more than 1 they are scaled down), provider faults for each call.
 */
export type FaultRates = { readonly [Kind in FaultKind]?: number } & {
  /** How often an answer with a wrong field has a second wrong field, and one with two a third. */
  readonly several?: number;
  /** How often a wrong field is corrected only when it has been named twice. */
  readonly stubborn?: number;
  /**
   * How often the model holds to what it has said: a wrong field stays, whatever the feedback, until a warning names it, and a
   * refusal until it is asked afresh and told what for. Another model has mistakes of its own.
   */
  readonly anchored?: number;
  /** How often null is given for fields that the document does not state and that take no null; else they are guessed. */
  readonly absent?: number;
};

/** A mix as of a small model on a busy day: about 40 % of first answers wrong, 12 % of calls failed or late. */
export const FAULTY_RATES: FaultRates = {
  json_fenced: 0.03,
  json_prose: 0.02,
  json_trailing_commas: 0.02,
  json_single_quotes: 0.015,
  json_unquoted_keys: 0.01,
  json_python_literals: 0.01,
  json_comments: 0.01,
  json_garbage: 0.02,
  truncated_length: 0.03,
  truncated_silent: 0.015,
  missing: 0.06,
  wrong_type_lossless: 0.03,
  wrong_type: 0.045,
  unknown_field: 0.03,
  constraint: 0.035,
  refused: 0.0075,
  refused_text: 0.0025,
  empty: 0.0075,
  content_filter: 0.0025,
  several: 0.3,
  stubborn: 0.1,
  rate_limit: 0.05,
  server_error: 0.02,
  overloaded: 0.015,
  reset_before: 0.01,
  reset_mid_body: 0.01,
  slow: 0.01,
  request_timeout: 0.003,
  conflict: 0.002,
  hang: 0.001,
};

/** Whether a fault keeps the call from being answered, rather than spoiling the answer. */
export function isProviderFault(kind: FaultKind): kind is ProviderFault {
  return (PROVIDER_FAULTS as readonly string[]).includes(kind);
}

/** Whether a fault is in one field. */
export function isFieldFault(kind: FaultKind): kind is FieldFault {
  return (FIELD_FAULTS as readonly string[]).includes(kind);
}

/** Whether a fault is one of syntax only. */
export function isRepairableFault(kind: FaultKind): kind is RepairableFault {
  return (REPAIRABLE_FAULTS as readonly string[]).includes(kind);
}
