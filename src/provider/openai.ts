import OpenAI, { APIError } from 'openai';
import { pooledFetch } from './pooled-fetch.ts';
import { rateLimitsOf } from './rate-limits.ts';
import type { ModelReply, ModelRequest, PromptMessage, Provider, ProviderTraits } from './provider.ts';

/** The name of the forced function, which the schema's name must not shadow. */
const ANSWER_TOOL = 'answer';

/**
 * Any provider that speaks OpenAI's chat completions.
 *
 * The client's own retries are off: retries have one owner, the activity's retry policy.
 */
export function openAiProvider(
  options: {
    readonly name: string;
    readonly apiKey: string;
    /** Default: `OPENAI_BASE_URL`, or OpenAI's. */
    readonly baseUrl?: string;
    readonly defaultModel: string;
    readonly simulated?: true;
  } & ProviderTraits,
): Provider {
  const { name, apiKey, baseUrl, defaultModel, simulated = false, ...traits } = options;
  const client = new OpenAI({
    apiKey,
    maxRetries: 0,
    fetch: pooledFetch(),
    ...(baseUrl === undefined ? {} : { baseURL: baseUrl }),
  });
  return {
    name,
    simulated,
    defaultModel,
    ...traits,
    call: (request, signal) => call(client, request, signal),
    isReachable: (signal) => isReachable(client, signal),
  };
}

/** By its list of models, which takes no tokens. A server that has none, or shows us none, is there as well. */
async function isReachable(client: OpenAI, signal: AbortSignal): Promise<boolean> {
  try {
    await client.get('/models', { signal });
    return true;
  } catch (error) {
    return error instanceof APIError && typeof error.status === 'number' && error.status < 500;
  }
}

async function call(client: OpenAI, request: ModelRequest, signal: AbortSignal): Promise<ModelReply> {
  const called = client.chat.completions.create(
    {
      model: request.model,
      messages: request.messages.map(chatMessage),
      temperature: 0,
      ...answerForm(request),
      ...(request.maxOutputTokens === undefined ? {} : { max_completion_tokens: request.maxOutputTokens }),
    },
    {
      signal,
      timeout: request.timeoutMs,
      headers: { 'X-Client-Request-Id': request.requestId },
    },
  );
  const { data, response } = await called.withResponse();
  const rateLimits = rateLimitsOf(response.headers);
  return { ...readReply(data), ...(rateLimits === undefined ? {} : { rateLimits }) };
}

/** How the answer is held to JSON: the schema travels here where the mode carries it. */
function answerForm(request: ModelRequest): Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> {
  const { mode, schema } = request;
  switch (mode) {
    case 'json_schema':
      if (schema === undefined) return {};
      return {
        response_format: {
          type: 'json_schema',
          json_schema: { name: identifier(schema.name), schema: { ...schema.jsonSchema }, strict: true },
        },
      };
    case 'tool':
      if (schema === undefined) return {};
      return {
        tools: [
          {
            type: 'function',
            function: {
              name: ANSWER_TOOL,
              description: `Gives the extracted ${schema.name}.`,
              parameters: { ...schema.jsonSchema },
            },
          },
        ],
        tool_choice: { type: 'function', function: { name: ANSWER_TOOL } },
      };
    case 'json_object':
      return { response_format: { type: 'json_object' } };
    case 'prompt':
    case 'text':
      return {};
  }
}

/** OpenAI takes letters, digits, `_` and `-`, 64 at most, in the name of a response format. */
function identifier(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'record';
}

function chatMessage(message: PromptMessage): OpenAI.ChatCompletionMessageParam {
  if (message.role === 'tool') {
    return { role: 'tool', tool_call_id: message.toolCallId, content: message.content };
  }
  if (message.role !== 'assistant' || message.toolCallId === undefined) {
    return { role: message.role, content: message.content };
  }
  return {
    role: 'assistant',
    content: null,
    tool_calls: [
      {
        id: message.toolCallId,
        type: 'function',
        function: { name: ANSWER_TOOL, arguments: message.content },
      },
    ],
  };
}

/** Reads defensively: "compatible" servers leave fields out. */
function readReply(completion: OpenAI.ChatCompletion): ModelReply {
  const choice = completion.choices?.[0];
  const toolCall = choice?.message?.tool_calls?.[0];
  const text = toolCall?.type === 'function' ? toolCall.function.arguments : (choice?.message?.content ?? '');
  const refusal = choice?.message?.refusal;
  const usage = {
    promptTokens: completion.usage?.prompt_tokens ?? 0,
    completionTokens: completion.usage?.completion_tokens ?? 0,
  };
  if (refusal) return { text, finish: 'refusal', refusal, usage };
  if (choice?.finish_reason === 'content_filter') return { text, finish: 'content_filter', usage };
  return { text, finish: choice?.finish_reason === 'length' ? 'length' : 'stop', usage };
}
