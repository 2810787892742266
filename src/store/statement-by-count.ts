import { CompiledQuery } from 'kysely';
import type { Compilable, DialectAdapter, Kysely, QueryResult } from 'kysely';
import type { Tables } from './tables.ts';

/** Statements about more are built each time: they are rare, long, and building them is then the smaller part. */
const MOST_ITEMS = 64;

/**
 * A statement about several items that is built once for each number of them: Kysely takes longer to build one than a database to
 * run it.
 *
 * @param options.build the statement. Nothing of the items but their number may decide what it says.
 * @param options.parametersOf what its placeholders stand for, in order.
 */
export function statementByCount<Item, Row>(options: {
  readonly build: (db: Kysely<Tables>, items: readonly Item[]) => Compilable<Row>;
  readonly parametersOf: (items: readonly Item[]) => readonly unknown[];
}): (db: Kysely<Tables>, items: readonly Item[]) => Promise<QueryResult<Row>> {
  const { build, parametersOf } = options;
  // Databases of different kinds are asked in different words.
  const known = new WeakMap<DialectAdapter, Map<number, string>>();
  const statementsOf = (db: Kysely<Tables>): Map<number, string> => {
    const { adapter } = db.getExecutor();
    const statements = known.get(adapter) ?? new Map<number, string>();
    known.set(adapter, statements);
    return statements;
  };
  return (db, items) => {
    const statements = statementsOf(db);
    const parameters = parametersOf(items);
    const sql = statements.get(items.length);
    if (sql !== undefined) return db.executeQuery(CompiledQuery.raw(sql, [...parameters]));
    const compiled = build(db, items).compile();
    requireSame(compiled, parameters);
    if (items.length <= MOST_ITEMS) statements.set(items.length, compiled.sql);
    return db.executeQuery(compiled);
  };
}

/** A statement with its values in other places would write them into other columns. */
function requireSame({ sql, parameters }: CompiledQuery, expected: readonly unknown[]): void {
  const isSame =
    parameters.length === expected.length && parameters.every((value, index) => value === expected[index]);
  if (isSame) return;
  throw new Error(
    `Expected the parameters of this statement in another order, or another number of them: ${sql}`,
  );
}
