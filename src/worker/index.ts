/** For services that run workers of their own, with schemas of their own. */
export type { SchemaRegistry } from '../../activities/world.ts';
export { openAiProvider } from '../provider/openai.ts';
export type { ModelReply, ModelRequest, PromptMessage, Provider } from '../provider/provider.ts';
export { providersOf } from './providers.ts';
export { runWorkers } from './run-workers.ts';
export type { RunningWorkers } from './run-workers.ts';
