import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sqliteDialect } from '../../src/store/sqlite.ts';
import { statementByCount } from '../../src/store/statement-by-count.ts';
import type { Tables } from '../../src/store/tables.ts';

interface Schema {
  readonly hash: string;
  readonly name: string;
}

let folder: string;
let db: Kysely<Tables>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'durable-extract-statement-'));
  db = new Kysely<Tables>({ dialect: sqliteDialect(join(folder, 'store.db')) });
  await db.schema.createTable('schemas').addColumn('hash', 'text').addColumn('name', 'text').execute();
});

afterEach(async () => {
  await db.destroy();
  rmSync(folder, { recursive: true, force: true });
});

function inserting(parametersOf: (rows: readonly Schema[]) => readonly unknown[]) {
  let built = 0;
  const insert = statementByCount<Schema, unknown>({
    build(database, rows) {
      built += 1;
      return database.insertInto('schemas').values(rows as never);
    },
    parametersOf,
  });
  return { insert, built: () => built };
}

function rows(count: number, prefix: string): readonly Schema[] {
  return Array.from({ length: count }, (_, n) => ({ hash: `${prefix}${n}`, name: `name of ${prefix}${n}` }));
}

describe('a statement about several rows', () => {
  it('is built once for each number of them, and writes each row as it is', async () => {
    const { insert, built } = inserting((all) => all.flatMap(({ hash, name }) => [hash, name]));
    const written = [rows(2, 'a'), rows(2, 'b'), rows(1, 'c'), rows(2, 'd')];
    for (const group of written) await insert(db, group);
    expect(built()).toBe(2);
    const found = await db.selectFrom('schemas').select(['hash', 'name']).orderBy('hash').execute();
    expect(found).toEqual(written.flat());
  });

  it('is built anew where they are many', async () => {
    const { insert, built } = inserting((all) => all.flatMap(({ hash, name }) => [hash, name]));
    await insert(db, rows(100, 'a'));
    await insert(db, rows(100, 'b'));
    expect(built()).toBe(2);
  });

  it('is refused where its values stand in another order', async () => {
    const { insert } = inserting((all) => all.flatMap(({ hash, name }) => [name, hash]));
    await expect(async () => insert(db, rows(1, 'a'))).rejects.toThrow(/in another order/);
    expect(await db.selectFrom('schemas').select('hash').execute()).toEqual([]);
  });
});
