import type { Kysely, Selectable } from 'kysely';
import type { GateStatus } from '../core/gate-contract.ts';
import type { GateChangesTable, Tables } from './tables.ts';

/** The gates as their workflows last told, and every change of theirs. */
export interface GateStore {
  /** One read of one row: workers ask now and then. */
  read(provider: string): Promise<GateStatus | undefined>;
  list(): Promise<readonly GateStatus[]>;
  /** Keeps a change. The same one twice is one; a gate never goes back to an older one. */
  record(change: GateStatus & { readonly at: number }): Promise<void>;
  /** The newest first. */
  changes(provider: string, limit: number): Promise<readonly (GateStatus & { readonly at: number })[]>;
}

/** The gates in a database. */
export function gateStore(db: Kysely<Tables>): GateStore {
  return {
    async read(provider) {
      const row = await db
        .selectFrom('gates')
        .selectAll()
        .where('provider', '=', provider)
        .executeTakeFirst();
      return row && statusOf(row);
    },
    async list() {
      const rows = await db.selectFrom('gates').selectAll().orderBy('provider').execute();
      return rows.map(statusOf);
    },
    async record({ at, provider, state, reason, since, until, callsPerSecond }) {
      const row = { provider, at, state, reason, since, until_at: until, calls_per_second: callsPerSecond };
      await db
        .insertInto('gate_changes')
        .values(row)
        .onConflict((conflict) => conflict.columns(['provider', 'at']).doNothing())
        .execute();
      await db
        .insertInto('gates')
        .values(row)
        .onConflict((conflict) =>
          conflict
            .column('provider')
            .doUpdateSet((write) => ({
              at: write.ref('excluded.at'),
              state: write.ref('excluded.state'),
              reason: write.ref('excluded.reason'),
              since: write.ref('excluded.since'),
              until_at: write.ref('excluded.until_at'),
              calls_per_second: write.ref('excluded.calls_per_second'),
            }))
            .whereRef('gates.at', '<=', 'excluded.at'),
        )
        .execute();
    },
    async changes(provider, limit) {
      const rows = await db
        .selectFrom('gate_changes')
        .selectAll()
        .where('provider', '=', provider)
        .orderBy('at', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ ...statusOf(row), at: row.at }));
    },
  };
}

function statusOf(row: Selectable<GateChangesTable>): GateStatus {
  const { provider, state, reason, since, until_at: until, calls_per_second: callsPerSecond } = row;
  return { provider, state, reason, since, until, callsPerSecond };
}
