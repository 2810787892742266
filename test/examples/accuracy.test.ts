import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { exampleSchemas } from '../../examples/schemas/index.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { readSchema } from '../../src/provider/simulated/field.ts';
import { extract } from '../../src/provider/simulated/reading/extract.ts';
import { compareFields, exampleLines } from './accuracy.ts';

/** The rules know no document: a few fields may be wrong, and more than this is a fault of the rules. */
const RIGHT_FIELDS_FLOOR = 0.8;

const truth = new Map(exampleLines<{ id: string; data: Json }>('truth').map(({ id, data }) => [id, data]));

describe.each(Object.entries(exampleSchemas))('the %s documents', (name, schema) => {
  const lines = exampleLines<{ id: string; text: string }>(name);
  const reading = readSchema(z.toJSONSchema(schema) as JsonObject);
  const answers = lines.map(({ id, text }) => ({ id, answer: extract(reading, text).value }));

  it('are a dozen or more, each with its truth', () => {
    expect(lines.length).toBeGreaterThanOrEqual(12);
    expect(lines.filter(({ id }) => !truth.has(id))).toEqual([]);
  });

  it('are all read into the schema by the simulated model', () => {
    expect(answers.filter(({ answer }) => !schema.safeParse(answer).success)).toEqual([]);
  });

  it('are mostly read right', () => {
    const fields = answers.flatMap(({ id, answer }) => compareFields(id, truth.get(id) ?? null, answer));
    const right = fields.filter(({ isRight }) => isRight).length;
    expect(right / fields.length).toBeGreaterThanOrEqual(RIGHT_FIELDS_FLOOR);
  });
});
