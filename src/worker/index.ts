/** For services that run workers of their own, with schemas of their own. */
export type { SchemaRegistry } from '../../activities/world.ts';
export type { GateConfig } from '../core/gate-config.ts';
export type { ModelPrice } from '../core/usage.ts';
export { openAiProvider } from '../provider/openai.ts';
export type {
  Fallback,
  ModelReply,
  ModelRequest,
  PromptMessage,
  Provider,
  ProviderTraits,
} from '../provider/provider.ts';
export { providersOf } from './providers.ts';
export { runWorkers } from './run-workers.ts';
export type { RunningWorkers } from './run-workers.ts';
