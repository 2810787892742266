import { z } from 'zod';

/** Where a person lives. */
export const address = z.strictObject({
  street: z.string().optional().describe('Street and house number'),
  city: z.string().min(1).describe('City or town'),
  postal_code: z.string().optional().describe('Postal or ZIP code'),
  country: z.string().optional().describe('Country, as the document names it'),
});

/**
 * The tutorial's Person, with a nested address. Its optional fields keep it from OpenAI's strict mode:
 * it shows how schemas fare that no response format enforces.
 */
export const person = z.strictObject({
  name: z.string().min(1).describe('Full name of the person, first name first, without titles'),
  age: z.int().min(0).max(150).optional().describe('Age in years, if it is stated'),
  occupation: z.string().optional().describe('What the person works as'),
  date_of_birth: z.iso.date().optional().describe('Date of birth, as YYYY-MM-DD'),
  email: z.email().optional().describe('E-mail address'),
  address: address.optional().describe('Where the person lives'),
  hobbies: z.array(z.string()).describe('What the person likes to do in their free time'),
});

/** A person, as extracted. */
export type Person = z.infer<typeof person>;
