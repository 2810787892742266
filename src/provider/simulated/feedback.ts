/** Which fields a feedback message names. */

/** A path in one form: `items[0].price`, `/items/0/price` and `items.0.price` are the same. */
export function normalPath(path: string): string {
  return path
    .replace(/\[['"]?([^\]'"]*)['"]?\]/g, '.$1')
    .replaceAll('/', '.')
    .replace(/^\.+|\.+$/g, '');
}

/** The ways clients put a field's path on a line of its own. Paths in running text do not count. */
const NAMING: readonly RegExp[] = [
  /^\s*[-*•]?\s*(?:unknown |unexpected |missing )?field ['"`]([^'"`\n]+)['"`]/gim, // durable-extract, the tutorial
  /^\s*→ at ([^\s]+)\s*$/gm, // zod's prettifyError
  /^(?:data)?\/([\w/]+) must /gm, // Ajv
  /^([A-Za-z_][\w.]*)\n {2}\S/gm, // Pydantic's str(error)
];
const ISSUE_PATHS = /"(?:path|loc)"\s*:\s*\[([^\]]*)\]/g; // zod's and Pydantic's issues as JSON

/** The fields that a feedback message names, in normal form. */
export function namedFields(feedback: string): ReadonlySet<string> {
  const named = new Set<string>();
  for (const pattern of NAMING) {
    for (const match of feedback.matchAll(pattern)) named.add(normalPath(match[1] ?? ''));
  }
  for (const match of feedback.matchAll(ISSUE_PATHS)) {
    const steps = (match[1] ?? '').split(',').map((step) => step.trim().replace(/^"|"$/g, ''));
    named.add(steps.join('.'));
  }
  return named;
}
