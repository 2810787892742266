import type { Usage } from '../src/core/contract.ts';
import { costUsd } from '../src/core/usage.ts';
import type { ModelReply, Provider } from '../src/provider/provider.ts';
import type { CallLedger } from './call-model.ts';

/** What an answered call cost, with the failed and interrupted calls before it. The simulated provider costs nothing. */
export function usageOf(options: {
  readonly provider: Provider;
  readonly model: string;
  readonly reply: ModelReply;
  readonly ledger: CallLedger;
}): Usage {
  const { provider, model, reply, ledger } = options;
  const { promptTokens, completionTokens } = reply.usage;
  return {
    calls: ledger.failures.length + ledger.interrupted + 1,
    promptTokens,
    completionTokens,
    costUsd: costOf({ provider, model, reply }),
  };
}

/** US dollars of one answered call; null where its price is not known. */
export function costOf(options: {
  readonly provider: Provider;
  readonly model: string;
  readonly reply: ModelReply;
}): number | null {
  const { provider, model, reply } = options;
  const { promptTokens, completionTokens } = reply.usage;
  return provider.simulated ? 0 : costUsd(model, promptTokens, completionTokens, provider.prices);
}
