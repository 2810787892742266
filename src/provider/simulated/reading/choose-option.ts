import type { Json } from '../../../core/json.ts';
import type { Field } from '../field.ts';
import { sentimentIn, tone } from './opinions.ts';
import { currencyIn } from './money.ts';
import { valuesUnder, type Page } from './page.ts';

/** Chooses a member of an enum: what its label says, what the words say, what the document mentions. */
export function chooseOption(field: Field, page: Page): Json | null {
  const { options } = field;
  const [only] = options;
  if (options.length === 1 && only !== undefined) return only;
  const labelled = valuesUnder(page, [field.words.join(' '), ...field.words])
    .map(({ value }) => mentioned(options, value))
    .find((option) => option !== null);
  if (labelled != null) return labelled;
  if (isSentiment(field)) return nearestSentiment(options, page);
  if (field.concept === 'currency') return options.find((option) => option === currencyIn(page.text)) ?? null;
  const option = mentioned(options, page.text) ?? bySynonym(field, page.text);
  if (option !== null) return option;
  if (field.nullable || !field.required) return null;
  return (
    options.find((candidate) =>
      /^(?:other|unknown|none|neutral|normal|medium|n\/a)$/i.test(optionText(candidate)),
    ) ??
    only ??
    null
  );
}

function isSentiment({ concept, options }: Field): boolean {
  return concept === 'sentiment' || (options.includes('positive') && options.includes('negative'));
}

function nearestSentiment(options: readonly Json[], page: Page): Json | null {
  const sentiment = sentimentIn(page);
  const exact = options.find((option) => optionText(option).toLowerCase() === sentiment);
  if (exact !== undefined) return exact;
  const words = {
    positive: /pos|good|happy|great/i,
    negative: /neg|bad|unhappy|angry|poor/i,
    neutral: /neu|mixed|ok|average|mid/i,
  }[sentiment];
  return (
    options.find((option) => words.test(optionText(option))) ??
    options.toSorted((one, other) => tone(optionText(other)) - tone(optionText(one)))[0] ??
    null
  );
}

/** The option a text mentions first, as whole words. */
function mentioned(options: readonly Json[], text: string): Json | null {
  const plain = ` ${text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' ')} `;
  const places = options.map((option) => {
    const words = optionText(option)
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim();
    return { option, at: words === '' ? -1 : plain.indexOf(` ${words} `) };
  });
  const [first] = places.filter(({ at }) => at !== -1).toSorted((one, other) => one.at - other.at);
  return first?.option ?? null;
}

/** A description may say what an option stands for: `high (urgent, asap), low (whenever)`. */
function bySynonym({ options, description }: Field, text: string): Json | null {
  for (const option of options) {
    const at = description.toLowerCase().indexOf(optionText(option).toLowerCase());
    if (at === -1) continue;
    const explained = /^[^(,;]{0,20}\(([^)]+)\)/.exec(description.slice(at))?.[1] ?? '';
    if (explained !== '' && mentioned(explained.split(/\s*,\s*/), text) !== null) return option;
  }
  return null;
}

/** An option as it may stand in a text. */
export function optionText(option: Json): string {
  return typeof option === 'string' ? option : JSON.stringify(option);
}
