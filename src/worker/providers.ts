import { openAiProvider } from '../provider/openai.ts';
import type { Provider } from '../provider/provider.ts';
import type { Environment } from '../stack/progress.ts';
import { readRpm } from './read-rpm.ts';

/** Where the simulated provider listens, set by whoever started it. */
export const SIMULATED_URL_VARIABLE = 'DURABLE_EXTRACT_SIMULATED_URL';

const DEFAULT_OPENAI_MODEL = 'gpt-4o-mini';

/** The name of the provider that answers where the caller names none. */
export function defaultProviderName(env: Environment): 'openai' | 'simulated' {
  return env['OPENAI_API_KEY'] ? 'openai' : 'simulated';
}

/**
 * The providers an environment gives: `openai` where there is a key, `simulated` where one listens; the first is the
 * default. `DURABLE_EXTRACT_MODEL` names the default model, `DURABLE_EXTRACT_RPM` the requests a minute.
 *
 * @throws {InvalidInputError} for a `DURABLE_EXTRACT_RPM` that cannot be read.
 */
export function providersOf(env: Environment): readonly Provider[] {
  const providers: Provider[] = [];
  const limits = readRpm(env);
  const model = env['DURABLE_EXTRACT_MODEL'];
  const apiKey = env['OPENAI_API_KEY'];
  if (apiKey) {
    const baseUrl = env['OPENAI_BASE_URL'];
    providers.push(
      openAiProvider({
        name: 'openai',
        apiKey,
        ...(baseUrl ? { baseUrl } : {}),
        defaultModel: model ?? DEFAULT_OPENAI_MODEL,
        ...limits.openai,
      }),
    );
  }
  const simulatedUrl = env[SIMULATED_URL_VARIABLE];
  if (simulatedUrl) {
    providers.push(
      openAiProvider({
        name: 'simulated',
        apiKey: 'simulated',
        baseUrl: simulatedUrl,
        defaultModel: apiKey ? 'clean' : (model ?? 'clean'),
        simulated: true,
        ...limits.simulated,
      }),
    );
  }
  return providers;
}
