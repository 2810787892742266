import { InvalidInputError } from '../client/invalid-input-error.ts';
import { openAiProvider } from '../provider/openai.ts';
import type { Provider } from '../provider/provider.ts';
import type { Environment } from '../stack/progress.ts';
import { parseFallback } from './provider-config/fallback.ts';
import { readProviderConfig } from './provider-config/read-provider-config.ts';
import type { ProviderConfig } from './provider-config/read-provider-config.ts';
import type { ConfiguredProvider } from './provider-config/shape.ts';
import { readRpm } from './read-rpm.ts';

/** Where the simulated provider listens, set by whoever started it. */
export const SIMULATED_URL_VARIABLE = 'DURABLE_EXTRACT_SIMULATED_URL';

const DEFAULT_OPENAI_MODEL = 'gpt-4o-mini';
const DEFAULT_SIMULATED_MODEL = 'clean';

/** The name of the provider that answers where the caller names none. @throws {InvalidInputError} for a bad configuration file. */
export function defaultProviderName(env: Environment): string {
  const config = readProviderConfig({ env });
  if (config !== undefined) return config.providers[0].name;
  return env['OPENAI_API_KEY'] ? 'openai' : 'simulated';
}

/**
 * The providers of an environment: those of its configuration file, or `openai` where there is a key and no file; then
 * `simulated` where one listens. The first is the default. `DURABLE_EXTRACT_MODEL` names its default model,
 * `DURABLE_EXTRACT_RPM` the requests a minute; both go before what the file says.
 *
 * @throws {InvalidInputError} for a bad configuration file or `DURABLE_EXTRACT_RPM`, and for a key that is not set.
 */
export function providersOf(env: Environment): readonly Provider[] {
  const config = readProviderConfig({ env });
  const named = config === undefined ? ['openai'] : config.providers.map(({ name }) => name);
  const limits = readRpm(env, [...named, 'simulated']);
  const providers = config === undefined ? openAiOf(env) : configuredOf(config, env);
  const [first, ...others] = [...providers, ...simulatedOf(env)];
  if (first === undefined) return [];
  return [withDefaultModel(first, env), ...others].map((options) =>
    openAiProvider({ ...options, ...limits.get(options.name) }),
  );
}

type ProviderOptions = Parameters<typeof openAiProvider>[0];

function openAiOf(env: Environment): readonly ProviderOptions[] {
  const apiKey = env['OPENAI_API_KEY'];
  if (!apiKey) return [];
  return [{ name: 'openai', apiKey, ...addressOf(env), defaultModel: DEFAULT_OPENAI_MODEL }];
}

function simulatedOf(env: Environment): readonly ProviderOptions[] {
  const baseUrl = env[SIMULATED_URL_VARIABLE];
  if (!baseUrl) return [];
  const defaultModel = DEFAULT_SIMULATED_MODEL;
  return [{ name: 'simulated', apiKey: 'simulated', baseUrl, defaultModel, simulated: true }];
}

function configuredOf(config: ProviderConfig, env: Environment): readonly ProviderOptions[] {
  const unset = config.providers.flatMap(({ name, keyVariable }, index) =>
    env[keyVariable]
      ? []
      : [
          `  providers[${index}].keyVariable: expected ${keyVariable} to hold the key of '${name}'; it is not set\n`,
        ],
  );
  if (unset.length === 0) return config.providers.map((provider) => optionsOf(provider, env));
  throw new InvalidInputError(
    `${config.path} names keys that the worker's environment does not have:\n${unset.join('')}` +
      'Set them (any text, for a server that asks for none), or take these providers out of the file.',
  );
}

function optionsOf(configured: ConfiguredProvider, env: Environment): ProviderOptions {
  const { name, keyVariable, baseUrl, models, fallbacks, ...traits } = configured;
  return {
    name,
    apiKey: env[keyVariable] ?? '',
    ...(baseUrl === undefined ? addressOf(env) : { baseUrl }),
    defaultModel: models[0],
    models,
    ...(fallbacks === undefined ? {} : { fallbacks: fallbacks.map(parseFallback) }),
    ...traits,
  };
}

function addressOf(env: Environment): { readonly baseUrl?: string } {
  const baseUrl = env['OPENAI_BASE_URL'];
  return baseUrl ? { baseUrl } : {};
}

function withDefaultModel(options: ProviderOptions, env: Environment): ProviderOptions {
  const model = env['DURABLE_EXTRACT_MODEL'];
  if (!model) return options;
  const models = options.models && [model, ...options.models.filter((other) => other !== model)];
  return { ...options, defaultModel: model, ...(models === undefined ? {} : { models }) };
}
