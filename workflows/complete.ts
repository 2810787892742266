import { setCurrentDetails } from '@temporalio/workflow';
import type { CompleteInput, Completion } from '../src/core/contract.ts';
import { NO_USAGE } from '../src/core/usage.ts';
import { prepareCompletion } from './house-activities.ts';
import { modelActivitiesFor } from './model-activities.ts';
import { providerFailureOf } from './provider-failure.ts';
import { tellSearch } from './search-attributes.ts';

/** Plain messages in, text out, with the same provider retries as an extraction. */
export async function complete(input: CompleteInput): Promise<Completion> {
  const prepared = await prepareCompletion(input);
  const { provider, model, simulated, retry, timeoutMs } = prepared;
  const said = { model: `${provider}/${model}`, simulated };
  tellSearch(prepared, { model: said.model });
  setCurrentDetails(`**Asking** ${said.model}`);
  try {
    const { text, finish, usage, ledger } = await modelActivitiesFor(prepared, {
      summary: `completion · ${model}`,
    }).say({
      provider,
      model,
      messages: input.messages,
      retry,
      timeoutMs,
    });
    const stopped = finish === 'refusal' ? 'refused' : finish === 'content_filter' ? 'content_filter' : null;
    setCurrentDetails(`**${stopped === null ? 'Answered' : `Not answered (${stopped})`}** by ${said.model}`);
    tellSearch(prepared, { outcome: stopped ?? 'success', lastProblem: ledger.failures.at(-1)?.type });
    return { ...said, success: stopped === null, text, errors: ledger.failures, usage, stopped };
  } catch (error) {
    const { type, ledger } = providerFailureOf(error, 1);
    const usage = { ...NO_USAGE, calls: ledger.failures.length + ledger.interrupted };
    setCurrentDetails(`**Not answered (${type})** by ${said.model}`);
    tellSearch(prepared, { outcome: type, lastProblem: type });
    return { ...said, success: false, text: null, errors: ledger.failures, usage, stopped: type };
  }
}
