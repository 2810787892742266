import { badRequest, type ApiError } from './api-error.ts';
import type { ChatRequest } from './chat-request.ts';
import type { Settings } from './options.ts';

/** What this server does not take of a request that is well formed, in the words of OpenAI; null where it takes it. */
export function unsupportedRequest(
  { form, maxTokens }: ChatRequest,
  { mostOutputTokens, rejectedModes }: Settings,
): ApiError | null {
  if (form.kind !== 'text' && rejectedModes.includes(form.kind)) {
    const isTool = form.kind === 'tool';
    return badRequest(
      isTool
        ? "Unsupported parameter: 'tools' is not supported with this model."
        : `Invalid parameter: 'response_format' of type '${form.kind}' is not supported with this model.`,
      isTool ? 'tools' : 'response_format',
      'unsupported_parameter',
    );
  }
  if (maxTokens === null || mostOutputTokens === null || maxTokens <= mostOutputTokens) return null;
  return badRequest(
    `max_tokens is too large: ${maxTokens}. This model supports at most ${mostOutputTokens} completion tokens, ` +
      `whereas you provided ${maxTokens}.`,
    'max_completion_tokens',
    'invalid_value',
  );
}
