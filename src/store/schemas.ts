import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { SchemaReference } from '../core/contract.ts';
import type { JsonObject } from '../core/json.ts';
import type { Tables } from './tables.ts';

/** A schema whose content is known. */
export interface StoredSchema extends SchemaReference {
  readonly jsonSchema: JsonObject;
}

/** The schemas batches were made with, by content: what a name means can change, what a hash means cannot. */
export interface SchemaStore {
  /** Adds it where it is not there yet, and gives its hash. */
  save(schema: StoredSchema): Promise<string>;
  /** @throws where there is none of that hash. */
  read(hash: string): Promise<StoredSchema>;
}

/** The name of a schema's content: 32 hex digits of a SHA-256 of its name and its JSON Schema. */
export function schemaHash({ name, jsonSchema }: StoredSchema): string {
  return createHash('sha256')
    .update(JSON.stringify([name, jsonSchema]))
    .digest('hex')
    .slice(0, 32);
}

/** The schemas in a database. */
export function schemaStore(db: Kysely<Tables>): SchemaStore {
  return {
    async save(schema) {
      const hash = schemaHash(schema);
      const row = { hash, name: schema.name, json_schema: JSON.stringify(schema.jsonSchema) };
      await db
        .insertInto('schemas')
        .values(row)
        .onConflict((conflict) => conflict.column('hash').doNothing())
        .execute();
      return hash;
    },
    async read(hash) {
      const row = await db.selectFrom('schemas').selectAll().where('hash', '=', hash).executeTakeFirst();
      if (row === undefined) throw new Error(`The store has no schema '${hash}'.`);
      return { name: row.name, jsonSchema: JSON.parse(row.json_schema) as JsonObject };
    },
  };
}
