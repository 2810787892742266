import { z } from 'zod';

/** One position of an order. */
export const orderItem = z.strictObject({
  name: z.string().min(1).describe('The article, as the order names it'),
  quantity: z.int().min(1).describe('How many pieces'),
  price: z.number().min(0).describe('The price of one piece'),
});

/** The tutorial's OrderInfo: what was ordered, by whom, for how much. Fits OpenAI's strict mode. */
export const order = z.strictObject({
  order_id: z.string().min(1).describe('The number of the order or invoice, without a leading #'),
  customer_name: z.string().min(1).describe('Full name of the customer, without titles'),
  customer_email: z.email().nullable().describe("The customer's e-mail address; null if there is none"),
  order_date: z.iso.date().nullable().describe('When it was ordered, as YYYY-MM-DD; null if not stated'),
  items: z.array(orderItem).min(1).describe('Everything that was ordered'),
  total: z.number().min(0).describe('What the customer pays in the end'),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .nullable()
    .describe('ISO 4217 code of the currency; null if it cannot be told'),
});

/** An order, as extracted. */
export type Order = z.infer<typeof order>;
