import { DatabaseSync } from 'node:sqlite';
import { openStore } from '../src/store/open-store.ts';

/** Two thirds of a million documents: half of them need a second answer. */
const ATTEMPTS_A_DOCUMENT = 1.5;

/**
 * Fills a new SQLite store with answers and their outcomes, over 30 days, in raw SQL; then has the store's own migration
 * count them.
 *
 * @returns how long the counting took, in milliseconds.
 */
export async function fillStore(file: string, attempts: number): Promise<number> {
  const at = { env: { DATABASE_URL: file }, home: `${file}.home` };
  await (await openStore(at)).close();
  const database = new DatabaseSync(file);
  try {
    database.exec('pragma journal_mode = wal; pragma synchronous = off; begin');
    database.exec(attemptsSql(Math.round(attempts / ATTEMPTS_A_DOCUMENT)));
    database.exec(outcomesSql);
    database.exec("delete from kysely_migration where name >= '010-stats'; commit");
  } finally {
    database.close();
  }
  const startedAt = performance.now();
  await (await openStore(at)).close();
  return performance.now() - startedAt;
}

/** Document n belongs to one of 20 batches, or to none; of 4 schemas, 3 models, 20 fields that can be wrong. */
function attemptsSql(documents: number): string {
  return `
  with recursive docs(n) as (select 0 union all select n + 1 from docs where n + 1 < ${documents}),
  tries(t) as (values (1), (2))
  insert into attempts (batch_id, document_id, round, attempt, kind, verdict, problem, data, repairs, answer, request_id,
    schema_name, provider, model, mode, finish, calls, prompt_tokens, completion_tokens, cost_usd, failures, interrupted,
    latency_ms, asked_at)
  select case when n % 21 = 20 then '' else 'batch-' || (n * 20 / ${documents}) end, 'document-' || n, 1, t, 'asked',
    case when n % 2 = 1 and t = 1 then 'validation_error' else 'accepted' end,
    case when n % 2 = 1 and t = 1 then '{"type":"validation_error","message":"1 problem","details":[{"path":"items[' || (n % 9) ||
      '].field' || (n % 20) || '","kind":"' || case n % 3 when 0 then 'missing' else 'wrong_type' end ||
      '","message":"expected number","received":"ten"}]}' end,
    '{"total":12}', '[]', '{"total":12,"note":"' || hex(zeroblob(150)) || '"}', 'request-' || n || '-' || t,
    'schema-' || (n % 4), 'openai', 'model-' || (n % 3), 'json_schema', 'stop', 1 + (n % 50 = 0), 800, 90, 0.0002,
    case when n % 50 = 0 then '[{"attempt":1,"type":"rate_limit","message":"429","delayMs":500}]' else '[]' end, 0,
    300 + (n * 7919) % 3000, 1790000000000 + cast(n * (2592000000.0 / ${documents}) as integer) + t * 1000
  from docs, tries where t = 1 or n % 2 = 1`;
}

const outcomesSql = `
  insert into outcomes (batch_id, document_id, round, success, stopped, attempts, accepted_attempt, errors, calls,
    prompt_tokens, completion_tokens, cost_usd, unanswered_calls, schema_name, strategy, model, simulated, finished_at)
  select batch_id, document_id, 1, latency_ms % 17 <> 0, case when latency_ms % 17 = 0 then 'attempts' end, 1, 1,
    case when problem is null then '[]' else '[' || problem || ']' end, calls, 800, 90, 0.0002, 0, schema_name, 'adaptive',
    'openai/' || model, 0, asked_at + 5000
  from attempts where attempt = 1`;
