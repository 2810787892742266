/** How long one answer of a model can be. */

/**
 * The most completion tokens of one answer, by model family: OpenAI's model pages (platform.openai.com/docs/models, autumn 2025).
 * What is not here is found out: an answer that is cut off below the cap that it was allowed was cut at the model's own.
 */
const LIMITS: ReadonlyMap<string, number> = new Map([
  ['gpt-4o', 16_384],
  ['gpt-4o-mini', 16_384],
  ['gpt-4.1', 32_768],
  ['gpt-4.1-mini', 32_768],
  ['gpt-4.1-nano', 32_768],
]);

/** `gpt-4o-mini-2024-07-18` is limited as its family is. */
const SNAPSHOT_SUFFIX = /-\d{4}-\d{2}-\d{2}$/;

/**
 * The most tokens a model writes in one answer; undefined where that is not known.
 *
 * @param given By model, as configured. They go before the list.
 */
export function outputTokenLimit(
  model: string,
  given: Readonly<Record<string, number>> = {},
): number | undefined {
  const family = model.replace(SNAPSHOT_SUFFIX, '');
  const named = [model, family].find((name) => Object.hasOwn(given, name));
  return named === undefined ? LIMITS.get(family) : given[named];
}
