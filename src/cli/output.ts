/** What a person reads: on stderr, so that stdout holds data and nothing else. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The data a command gives, as JSON, on stdout. */
export function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** `1 call`, `2 calls`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
