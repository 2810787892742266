import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { badRequest, type ApiError } from './api-error.ts';
import { strictSchemaComplaint } from './strict-schema.ts';

/** One message, with its text put together. */
export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly text: string;
}

/** How the caller holds the model to JSON. */
export type AnswerForm =
  | { readonly kind: 'text' }
  | { readonly kind: 'json_object' }
  | { readonly kind: 'json_schema'; readonly schema: JsonObject; readonly strict: boolean }
  | {
      readonly kind: 'tool';
      readonly name: string;
      readonly schema: JsonObject;
      readonly strict: boolean;
      /** OpenAI ends a call of a tool forced by name with `stop`, others with `tool_calls`. */
      readonly finish: 'stop' | 'tool_calls';
    };

/** What `POST /v1/chat/completions` understood. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly form: AnswerForm;
  readonly maxTokens: number | null;
  readonly promptTokens: number;
}

/** Tokens are counted at four characters each. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Reads a request's body, or says what is wrong with it as OpenAI would. */
export function readChatRequest(body: string): ChatRequest | ApiError {
  const parsed = parseBody(body);
  if (!isJsonObject(parsed)) {
    return badRequest(
      'We could not parse the JSON body of your request. (HINT: This likely means you are not using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)',
    );
  }
  const model = parsed['model'];
  if (typeof model !== 'string' || model === '') {
    return badRequest('you must provide a model parameter', 'model');
  }
  if (parsed['stream'] === true) {
    return badRequest('The simulated provider does not stream.', 'stream', 'unsupported_value');
  }
  const messages = readMessages(parsed['messages']);
  if ('status' in messages) return messages;
  const form = readForm(parsed);
  if ('status' in form) return form;
  if (form.kind === 'json_object' && !messages.some(({ text }) => /json/i.test(text))) {
    return badRequest(
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
      'messages',
    );
  }
  const maxTokens = readMaxTokens(parsed);
  if (maxTokens !== null && typeof maxTokens === 'object') return maxTokens;
  return { model, messages, form, maxTokens, promptTokens: countPrompt(messages, form) };
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null; // the caller answers 400
  }
}

function countPrompt(messages: readonly Message[], form: AnswerForm): number {
  const written = messages.reduce((sum, { text }) => sum + countTokens(text) + 4, 3);
  return 'schema' in form ? written + countTokens(JSON.stringify(form.schema)) : written;
}

function readMaxTokens(body: JsonObject): number | null | ApiError {
  const param = body['max_completion_tokens'] == null ? 'max_tokens' : 'max_completion_tokens';
  const value = body[param];
  if (value == null) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return value;
  return badRequest(
    `Invalid '${param}': expected an integer of at least 1, but got ${JSON.stringify(value).slice(0, 40)} instead.`,
    param,
    'integer_below_min_value',
  );
}

const ROLES: Readonly<Record<string, Message['role']>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool',
};

function readMessages(value: Json | undefined): readonly Message[] | ApiError {
  if (value === undefined) return badRequest("Missing required parameter: 'messages'.", 'messages');
  if (!Array.isArray(value) || value.length === 0) {
    return badRequest(
      "Invalid 'messages': expected an array with at least one message.",
      'messages',
      'empty_array',
    );
  }
  const messages: Message[] = [];
  let openCalls = new Set<string>();
  for (const [index, item] of (value as readonly Json[]).entries()) {
    const at = `messages[${index}]`;
    if (!isJsonObject(item)) return badRequest(`Invalid '${at}': expected an object.`, at);
    const role = typeof item['role'] === 'string' ? ROLES[item['role']] : undefined;
    if (role === undefined) return badRequest(`Invalid value: '${at}.role'.`, `${at}.role`, 'invalid_value');
    const complaint = role === 'tool' ? closeCall(item, openCalls) : leftOpen(openCalls);
    if (complaint !== null) return badRequest(complaint, `${at}.role`);
    if (role !== 'tool') openCalls = callIds(item);
    const text = messageText(item);
    if (text === null) {
      return badRequest(
        `Invalid value for 'content': expected a string, got ${typeof item['content']}.`,
        `${at}.content`,
      );
    }
    messages.push({ role, text });
  }
  const complaint = leftOpen(openCalls);
  return complaint === null ? messages : badRequest(complaint, 'messages');
}

function callIds(message: JsonObject): Set<string> {
  const calls = message['tool_calls'];
  if (!Array.isArray(calls)) return new Set();
  return new Set(
    (calls as readonly Json[]).flatMap((call) =>
      isJsonObject(call) && typeof call['id'] === 'string' ? [call['id']] : [],
    ),
  );
}

function closeCall(message: JsonObject, openCalls: Set<string>): string | null {
  const id = message['tool_call_id'];
  if (typeof id === 'string' && openCalls.delete(id)) return null;
  return "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
}

function leftOpen(openCalls: ReadonlySet<string>): string | null {
  if (openCalls.size === 0) return null;
  return `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${[...openCalls].join(', ')}`;
}

/** A message's words: its content, its parts of text, its refusal, the arguments of its tool calls. */
function messageText(message: JsonObject): string | null {
  const texts: string[] = [];
  const content = message['content'];
  if (typeof content === 'string') texts.push(content);
  else if (Array.isArray(content)) texts.push(...partTexts(content as readonly Json[]));
  else if (content != null || message['role'] === 'user' || message['role'] === 'system') return null;
  if (typeof message['refusal'] === 'string') texts.push(message['refusal']);
  if (Array.isArray(message['tool_calls'])) {
    texts.push(...argumentTexts(message['tool_calls'] as readonly Json[]));
  }
  return texts.join('\n');
}

function partTexts(parts: readonly Json[]): readonly string[] {
  return parts.flatMap((part) =>
    isJsonObject(part) && typeof part['text'] === 'string' ? [part['text']] : [],
  );
}

function argumentTexts(calls: readonly Json[]): readonly string[] {
  return calls.flatMap((call) => {
    const called = isJsonObject(call) ? call['function'] : null;
    return isJsonObject(called) && typeof called['arguments'] === 'string' ? [called['arguments']] : [];
  });
}

function readForm(body: JsonObject): AnswerForm | ApiError {
  const tools = body['tools'];
  if (Array.isArray(tools) && tools.length > 0 && body['tool_choice'] !== 'none') {
    return readTool(tools as readonly Json[], body['tool_choice']);
  }
  const format = body['response_format'];
  if (format == null) return { kind: 'text' };
  const type = isJsonObject(format) ? format['type'] : undefined;
  if (type === 'text') return { kind: 'text' };
  if (type === 'json_object') return { kind: 'json_object' };
  if (type === 'json_schema') return readSchemaFormat((format as JsonObject)['json_schema']);
  return badRequest(
    `Invalid value: '${JSON.stringify(type ?? null)}'. Supported values are: 'json_object', 'json_schema', and 'text'.`,
    'response_format.type',
    'invalid_value',
  );
}

function readSchemaFormat(value: Json | undefined): AnswerForm | ApiError {
  const at = 'response_format.json_schema';
  if (!isJsonObject(value)) return badRequest(`Missing required parameter: '${at}'.`, at);
  const { name, schema, strict } = value;
  if (!isName(name)) return badName(`${at}.name`);
  if (!isJsonObject(schema)) return badRequest(`Missing required parameter: '${at}.schema'.`, `${at}.schema`);
  const complaint = strict === true ? strictSchemaComplaint(schema) : null;
  if (complaint !== null) {
    return badRequest(
      `Invalid schema for response_format '${name}': ${complaint}`,
      'response_format',
      'invalid_json_schema',
    );
  }
  return { kind: 'json_schema', schema, strict: strict === true };
}

function readTool(tools: readonly Json[], choice: Json | undefined): AnswerForm | ApiError {
  const forced =
    isJsonObject(choice) && isJsonObject(choice['function']) ? choice['function']['name'] : undefined;
  const functions = tools.map((tool) => (isJsonObject(tool) ? tool['function'] : null));
  const index = functions.findIndex(
    (declared) => isJsonObject(declared) && (forced === undefined || declared['name'] === forced),
  );
  const declared = functions[index];
  if (!isJsonObject(declared)) {
    return badRequest(
      `Tool choice '${JSON.stringify(forced ?? 'auto')}' not found in 'tools' parameter.`,
      'tool_choice',
    );
  }
  const { name, parameters = { type: 'object', properties: {} }, strict } = declared;
  const at = `tools[${index}].function`;
  if (!isName(name)) return badName(`${at}.name`);
  if (!isJsonObject(parameters)) {
    return badRequest(`Invalid '${at}.parameters': expected an object.`, `${at}.parameters`);
  }
  const complaint = toolComplaint(parameters, strict === true);
  if (complaint !== null) {
    return badRequest(
      `Invalid schema for function '${name}': ${complaint}`,
      `${at}.parameters`,
      'invalid_function_parameters',
    );
  }
  return {
    kind: 'tool',
    name,
    schema: parameters,
    strict: strict === true,
    finish: forced === undefined ? 'tool_calls' : 'stop',
  };
}

function toolComplaint(parameters: JsonObject, strict: boolean): string | null {
  if (strict) return strictSchemaComplaint(parameters);
  if (parameters['type'] === 'object') return null;
  return `schema must be a JSON Schema of 'type: "object"', got 'type: ${JSON.stringify(parameters['type'] ?? 'None')}'.`;
}

function isName(name: Json | undefined): name is string {
  return typeof name === 'string' && /^[a-zA-Z0-9_-]{1,64}$/.test(name);
}

function badName(at: string): ApiError {
  return badRequest(
    `Invalid '${at}': string does not match pattern. Expected a string of 1 to 64 characters that matches the pattern '^[a-zA-Z0-9_-]+$'.`,
    at,
    'invalid_value',
  );
}
