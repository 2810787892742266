/** The simulated provider: an OpenAI-compatible server of our own that really reads, and fails as told. */
export { startSimulatedProvider, type SimulatedProvider } from './simulated/server.ts';
export type { SimulatedProviderOptions } from './simulated/options.ts';
export type { CallRecord, CallStats } from './simulated/call-log.ts';
export { documentHash } from './simulated/conversation.ts';
export { FAULT_KINDS, PROVIDER_FAULTS, SEMANTIC_FAULTS, FAULTY_RATES } from './simulated/faults.ts';
export type { FaultKind, FaultRates, ProviderFault, SemanticFault } from './simulated/faults.ts';
export { CLEAN_MODEL, FAULTY_MODEL, MODEL_NAMES } from './simulated/models.ts';
