const NEWLINE = 0x0a;

/** The bytes of a file that were read and belong to no record yet, and the line on which they start. */
export class UnreadBytes {
  #chunks: Buffer[] = [];
  #line = 1;

  /** The line of the first of these bytes, from 1. */
  get line(): number {
    return this.#line;
  }

  /** The line of the byte that so many others go before; below 0, that of the first. */
  lineAt(offset: number): number {
    return this.#line + newlinesIn(this.peek().subarray(0, Math.max(0, offset)));
  }

  append(chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  /** All of them, which stay. */
  peek(): Buffer {
    const [only] = this.#chunks;
    if (only !== undefined && this.#chunks.length === 1) return only;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  take(length: number): Buffer {
    const all = this.peek();
    const taken = all.subarray(0, length);
    this.#chunks = [all.subarray(length)];
    this.#line += newlinesIn(taken);
    return taken;
  }

  /** Blank lines belong to no record. */
  takeBlankLines(): number {
    const all = this.peek();
    let length = 0;
    for (;;) {
      const isPair = all[length] === 0x0d && all[length + 1] === NEWLINE;
      if (!isPair && all[length] !== NEWLINE) break;
      length += isPair ? 2 : 1;
    }
    this.take(length);
    return length;
  }

  /** Takes what is left of the first line, with its end. Whether the end was there. */
  takeLine(): 'whole' | 'unfinished' {
    const end = this.peek().indexOf(NEWLINE);
    this.take(end === -1 ? this.peek().length : end + 1);
    return end === -1 ? 'unfinished' : 'whole';
  }
}

function newlinesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
