import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { answer, type Answer } from './answer.ts';
import { apiError, badRequest, type ApiError } from './api-error.ts';
import { openCallLog, type CallLog, type CallRecord, type CallStats } from './call-log.ts';
import { readChatRequest, type ChatRequest } from './chat-request.ts';
import { documentHash, readConversation, type Conversation } from './conversation.ts';
import { documentMemory, type DocumentMemory } from './document-memory.ts';
import { draw, hashText } from './draw.ts';
import type { FaultRates } from './faults.ts';
import { readSchema, type SchemaReading } from './field.ts';
import { faultProfileOf, MODEL_NAMES, type FaultProfile } from './models.ts';
import { settingsOf, type Settings, type SimulatedProviderOptions } from './options.ts';
import { drawProviderFault, errorOf, rateLimitError } from './provider-failure.ts';
import { requestLimiter, type RequestLimiter } from './request-limiter.ts';
import { unsupportedRequest } from './unsupported-request.ts';
import { assembledSchema, hasFields } from './wanted-fields.ts';

/** A running simulated provider. */
export interface SimulatedProvider {
  /** What an OpenAI client takes as its base URL: `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  readonly port: number;
  /** The last calls, oldest first; a call is in it when it has ended. */
  readonly log: readonly CallRecord[];
  stats(): CallStats;
  /** Replaces the fault profile of every model; null gives the models their own again. */
  setFaults(faults: FaultRates | null): void;
  /** Whether everything but `/v1/simulated` answers 503, as in an outage of the whole provider. */
  setDown(isDown: boolean): void;
  /** Ends every connection, hanging calls too. */
  stop(): Promise<void>;
}

const MOST_BODY_BYTES = 4 * 1024 * 1024;
/** Longer than any client keeps a connection, so that none is closed under a request. */
const KEEP_ALIVE_MS = 600_000;

/**
 * Starts an OpenAI-compatible server that reads documents by simple rules and fails as told.
 * @example
 * const provider = await startSimulatedProvider({ seed: 7 });
 * const client = new OpenAI({ baseURL: provider.url, apiKey: 'none', maxRetries: 0 });
 */
export async function startSimulatedProvider(
  options: SimulatedProviderOptions = {},
): Promise<SimulatedProvider> {
  const house = openHouse(settingsOf(options), options.faults ?? null);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
    route(house, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(house.settings.port, house.settings.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${house.settings.host}:${port}/v1`,
    port,
    log: house.log.records,
    stats: () => house.log.stats(),
    setFaults(faults) {
      house.faults = faults;
    },
    setDown(isDown) {
      house.isDown = isDown;
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await house.allEnded();
      house.log.close();
    },
  };
}

/** What all calls share. */
interface House {
  readonly settings: Settings;
  readonly log: CallLog;
  readonly memory: DocumentMemory;
  readonly limiter: RequestLimiter | null;
  faults: FaultRates | null;
  isDown: boolean;
  allEnded(): Promise<void>;
}

function openHouse(settings: Settings, faults: FaultRates | null): House {
  const log = openCallLog(settings.logFile, settings.mostLogged);
  const { rpm, burst } = settings;
  return {
    settings,
    log,
    memory: documentMemory(),
    limiter: rpm === null ? null : requestLimiter(rpm, burst, performance.now()),
    faults,
    isDown: false,
    async allEnded() {
      // Closed sockets report to their calls on the next turns of the event loop.
      while (log.stats().inFlight > 0) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

function route(house: House, request: IncomingMessage, response: ServerResponse): void {
  const [path = ''] = (request.url ?? '').split('?');
  const address = `${request.method} ${path.replace(/(.)\/+$/, '$1')}`;
  switch (address) {
    case 'POST /v1/chat/completions':
      return receiveCall(house, request, response);
    case 'GET /v1/models':
      return sendModels(house, response);
    case 'GET /health':
      if (house.isDown) return sendError(response, unavailable());
      return send(response, 200, { status: 'ok', simulated: true });
    case 'PUT /v1/simulated/faults':
      return void receive(request, response, 'fault rates as JSON, or null', (faults) => {
        house.faults = faults as FaultRates | null;
      });
    case 'PUT /v1/simulated/down':
      return void receive(request, response, 'true or false', (isDown) => {
        house.isDown = isDown === true;
      });
    case 'GET /v1/simulated/log':
      return send(response, 200, house.log.records);
    case 'GET /v1/simulated/stats':
      return send(response, 200, house.log.stats());
    default:
      return sendError(response, noSuchPlace(address));
  }
}

/** Takes what a hand outside sets: the JSON that `setFaults` and `setDown` take. */
async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  expected: string,
  set: (value: unknown) => void,
): Promise<void> {
  try {
    const value = await json(request);
    set(value);
    send(response, 200, { set: value });
  } catch {
    sendError(response, badRequest(`Expected ${expected}.`));
  }
}

function sendModels({ log, isDown }: House, response: ServerResponse): void {
  log.listed();
  if (isDown) return sendError(response, unavailable());
  send(response, 200, { object: 'list', data: MODEL_NAMES.map(modelCard) });
}

function unavailable(): ApiError {
  return apiError({ status: 503, type: 'server_error', message: 'Service unavailable.' });
}

function modelCard(id: string): object {
  return { id, object: 'model', created: 0, owned_by: 'simulated' };
}

function noSuchPlace(address: string): ApiError {
  const model = /^GET \/v1\/models\/(.+)$/.exec(address)?.[1];
  return model === undefined
    ? apiError({
        status: 404,
        type: 'invalid_request_error',
        message: `Invalid URL (${address})`,
        code: 'unknown_url',
      })
    : noSuchModel(model);
}

function noSuchModel(model: string): ApiError {
  return apiError({
    status: 404,
    type: 'invalid_request_error',
    code: 'model_not_found',
    param: 'model',
    message: `The model '${model.slice(0, 80)}' does not exist. The simulated provider has: ${MODEL_NAMES.join(', ')}.`,
  });
}

/** One call on its way. What is learned of it is noted, and logged when its connection lets go of it. */
interface Call {
  readonly response: ServerResponse;
  readonly arrivedMs: number;
  note: Partial<CallRecord>;
}

function receiveCall(house: House, request: IncomingMessage, response: ServerResponse): void {
  const call: Call = { response, arrivedMs: performance.now(), note: {} };
  const requestId = request.headers['x-client-request-id'];
  call.note = { time: new Date().toISOString(), requestId: typeof requestId === 'string' ? requestId : null };
  house.log.begin();
  response.once('close', () => house.log.end(recordOf(call)));

  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MOST_BODY_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  });
  request.on('error', () => response.destroy()); // the client has gone: `close` logs it
  request.on('end', () => {
    if (bytes > MOST_BODY_BYTES) {
      fail(
        call,
        badRequest(`Request body is too large: ${bytes} bytes, at most ${MOST_BODY_BYTES} are read.`),
        'invalid_request',
      );
    } else handle(house, call, Buffer.concat(chunks).toString('utf8'));
  });
}

function recordOf({ response, arrivedMs, note }: Call): CallRecord {
  const status = response.headersSent ? response.statusCode : null;
  const answered = response.writableFinished && status === 200;
  return {
    time: '',
    requestId: null,
    model: null,
    documentHash: null,
    attempt: 1,
    fault: null,
    wrongFields: [],
    promptTokens: 0,
    ...note,
    durationMs: Math.round(performance.now() - arrivedMs),
    status,
    answered,
    completionTokens: answered ? (note.completionTokens ?? 0) : 0,
  };
}

function handle(house: House, call: Call, body: string): void {
  const chat = readChatRequest(body);
  if ('status' in chat) return fail(call, chat, 'invalid_request');
  call.note = { ...call.note, model: chat.model, promptTokens: chat.promptTokens };
  if (house.isDown) return fail(call, unavailable(), 'server_error');
  const profile = faultProfileOf(chat.model);
  if (profile === null) return fail(call, noSuchModel(chat.model), 'invalid_request');
  const conversation = readConversation(chat);
  const { attempt } = conversation;
  call.note = { ...call.note, documentHash: documentHash(conversation.document), attempt };
  if (isTurnedAway(house, call, chat.model)) return;
  const complaint = unsupportedRequest(chat, house.settings);
  if (complaint !== null) return fail(call, complaint, 'invalid_request');
  const asked = readAsked(house, chat, conversation, profile);
  strike(house, call, asked);
}

/** Whether the limiter refuses the call; its headers are set either way. */
function isTurnedAway({ limiter, settings }: House, call: Call, model: string): boolean {
  if (limiter === null) return false;
  const { taken, remaining, waitMs } = limiter.take(performance.now());
  if (settings.hidesLimits) {
    if (!taken) fail(call, rateLimitError(model, {}), 'rpm');
    return !taken;
  }
  call.response.setHeader('x-ratelimit-limit-requests', String(settings.rpm));
  call.response.setHeader('x-ratelimit-remaining-requests', String(remaining));
  call.response.setHeader('x-ratelimit-reset-requests', duration(waitMs));
  if (taken) return false;
  const headers = {
    'retry-after': String(Math.ceil(waitMs / 1_000)),
    'retry-after-ms': String(Math.ceil(waitMs)),
  };
  fail(call, rateLimitError(model, headers), 'rpm');
  return true;
}

/** As OpenAI writes it: `120ms`, `1.5s`. */
function duration(milliseconds: number): string {
  return milliseconds < 1_000 ? `${Math.ceil(milliseconds)}ms` : `${(milliseconds / 1_000).toFixed(1)}s`;
}

/** What was asked, of which document, under which faults. */
interface Asked {
  readonly chat: ChatRequest;
  readonly conversation: Conversation;
  readonly profile: FaultProfile;
  readonly schema: SchemaReading | null;
  /** The seed and the document's key. */
  readonly seed: readonly (string | number)[];
  /** The document's key in the memory. */
  readonly key: string;
  /** Calls made for this document, this one included. */
  readonly number: number;
}

function readAsked(house: House, chat: ChatRequest, conversation: Conversation, named: FaultProfile): Asked {
  const profile = house.faults === null ? named : { rates: house.faults, seed: named.seed };
  const schema = schemaFor(house, chat, conversation);
  const documentKey = hashText(conversation.document, schema === null ? 0 : schema.hash % 2 ** 31);
  const key = `${chat.model}/${documentKey}`;
  const seed = [profile.seed ?? house.settings.seed, documentKey];
  return { chat, conversation, profile, schema, seed, key, number: house.memory.countCall(key) };
}

/**
 * How the whole record is read. Where only some fields are asked for, as it was when the whole was: so that they have the values,
 * and the mistakes, which they have there. From a document that is not known it is put together from the fields' paths.
 */
function schemaFor(
  { memory }: House,
  { form }: ChatRequest,
  conversation: Conversation,
): SchemaReading | null {
  const { document, schema: given, wanted } = conversation;
  const schema = given ?? (form.kind === 'text' ? null : GENERIC_SCHEMA);
  if (schema === null) return null;
  const key = hashText(document);
  if (wanted !== null) {
    const known = memory.schemaOf(key);
    return known !== undefined && hasFields(known.root, wanted.paths)
      ? known
      : readSchema(assembledSchema(schema));
  }
  const reading = readSchema(schema);
  memory.noteSchema(key, reading);
  return reading;
}

/** What is looked for where JSON is asked for and no schema is given. */
const GENERIC_SCHEMA = {
  type: 'object',
  properties: {
    name: { type: ['string', 'null'] },
    email: { type: ['string', 'null'] },
    date: { type: ['string', 'null'], format: 'date' },
    amount: { type: ['number', 'null'] },
    summary: { type: 'string' },
  },
};

/** Lets the call's provider fault strike, or answers. */
function strike(house: House, call: Call, asked: Asked): void {
  const { settings } = house;
  const { profile, seed, number, chat } = asked;
  const { failuresPerDocument } = settings;
  const fault = drawProviderFault({ profile, seed, call: number, failuresPerDocument });
  if (fault !== null) call.note = { ...call.note, fault };
  if (fault === null || fault === 'slow') {
    return answerAfter(
      house,
      call,
      asked,
      latency(settings, asked) + (fault === 'slow' ? settings.slowMs : 0),
    );
  }
  if (fault === 'hang') return; // ends when the client hangs up or the server stops
  if (fault === 'reset_mid_body') return resetMidBody(call, completion(asked, answerTo(house, asked)));
  if (fault === 'reset_before') {
    call.response.socket?.resetAndDestroy();
    return;
  }
  fail(call, errorOf(fault, chat.model, settings.retryAfterSeconds, [...seed, number]), fault);
}

function latency({ latency: { min, max } }: Settings, { seed, number }: Asked): number {
  return min === max ? min : min + (max - min) * draw('latency', ...seed, number);
}

function answerAfter(house: House, call: Call, asked: Asked, delayMs: number): void {
  const reply = (): void => {
    const said = answerTo(house, asked);
    const { completionTokens, wrongFields } = said;
    call.note = { ...call.note, fault: said.fault ?? call.note.fault ?? null, wrongFields, completionTokens };
    send(call.response, 200, completion(asked, said));
  };
  if (delayMs <= 0) return reply();
  const timer = setTimeout(reply, delayMs);
  call.response.once('close', () => clearTimeout(timer));
}

function answerTo({ memory, settings }: House, asked: Asked): Answer {
  const { chat, conversation, schema, profile, seed, key } = asked;
  const { maxTokens, form } = chat;
  const heldToSchema = settings.honoursStrict && 'strict' in form && form.strict;
  const capRaised = memory.isCapRaised(key, maxTokens);
  const cap = maxTokens ?? settings.defaultOutputTokens ?? settings.mostOutputTokens;
  const rates = profile.rates;
  return answer({ conversation, schema, rates, seed, maxTokens: cap, capRaised, heldToSchema });
}

/** The body of a chat completion. */
function completion({ chat, key, number }: Asked, said: Answer): object {
  const id = `chatcmpl-simulated-${hashText(key).toString(36)}-${number}`;
  const { promptTokens } = chat;
  const { completionTokens } = said;
  return {
    id,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1_000),
    model: chat.model,
    system_fingerprint: 'simulated',
    choices: [
      { index: 0, message: messageOf(chat, said, id), logprobs: null, finish_reason: finishOf(chat, said) },
    ],
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    },
  };
}

function isToolCall({ form }: ChatRequest, said: Answer): boolean {
  const speaks =
    said.refusal !== null ||
    said.text === '' ||
    said.fault === 'refused_text' ||
    said.fault === 'content_filter';
  return form.kind === 'tool' && !speaks;
}

function messageOf(chat: ChatRequest, said: Answer, id: string): object {
  const { text, refusal } = said;
  if (chat.form.kind === 'tool' && isToolCall(chat, said)) {
    const call = { id: `call_${id}`, type: 'function', function: { name: chat.form.name, arguments: text } };
    return { role: 'assistant', content: null, refusal: null, tool_calls: [call] };
  }
  return { role: 'assistant', content: refusal === null ? text : null, refusal };
}

function finishOf(chat: ChatRequest, said: Answer): string {
  const { form } = chat;
  return said.finish === 'stop' && form.kind === 'tool' && isToolCall(chat, said) ? form.finish : said.finish;
}

/** Sends the headers and half of the body, then cuts the line. */
function resetMidBody({ response }: Call, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(200, headersOf(bytes.length));
  response.write(bytes.subarray(0, bytes.length >> 1), () => response.socket?.destroy());
}

function fail(call: Call, error: ApiError, fault: NonNullable<CallRecord['fault']>): void {
  call.note = { ...call.note, fault };
  sendError(call.response, error);
}

function sendError(response: ServerResponse, { status, body, headers }: ApiError): void {
  send(response, status, body, headers);
}

function send(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { ...headersOf(bytes.length), ...headers });
  response.end(bytes);
}

function headersOf(length: number): Record<string, string | number> {
  return { 'content-type': 'application/json', 'content-length': length, 'x-simulated': 'true' };
}
