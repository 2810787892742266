import { z } from 'zod';

/** The tutorial's ProductReview: what somebody thinks of a product. Fits OpenAI's strict mode. */
export const review = z.strictObject({
  product_name: z.string().min(1).describe('The product the review is about'),
  rating: z.int().min(1).max(5).describe('1 (worst) to 5 (best); other scales are converted'),
  sentiment: z.enum(['positive', 'negative', 'neutral']).describe('The overall sentiment of the review'),
  summary: z.string().min(1).max(240).describe('The review in one sentence'),
  pros: z.array(z.string()).describe('What the reviewer liked'),
  cons: z.array(z.string()).describe('What the reviewer did not like'),
  would_recommend: z.boolean().nullable().describe('Whether the reviewer recommends it; null if not stated'),
});

/** A product review, as extracted. */
export type Review = z.infer<typeof review>;
