/** What a model is warned of before it answers. */
import { namedFields, normalPath } from './feedback.ts';

const OPENING = /^(?:take care with|pay attention to|watch out for)\b/i;

/** The fields, in normal form, that messages warn of; `items[].price` is that of every item. */
export function warnedFields(remarks: readonly string[]): ReadonlySet<string> {
  return new Set(
    remarks.filter((remark) => OPENING.test(remark)).flatMap((remark) => [...namedFields(remark)]),
  );
}

/** Whether a warning names a field, or it among all items of its array. */
export function isWarnedOf(warned: ReadonlySet<string>, name: string): boolean {
  return warned.has(name) || warned.has(ofAllItems(name));
}

/** `items.0.price` and `items.7.price` are both `items..price`, which is `items[].price` in normal form. */
export function ofAllItems(name: string): string {
  return normalPath(name.replace(/(^|\.)\d+(?=\.|$)/g, '$1'));
}
