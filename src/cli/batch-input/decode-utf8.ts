const decoder = new TextDecoder('utf-8', { fatal: true });

/** Bytes as text, without a byte order mark; `undefined` where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    // The decoder's message says no more than that.
    return undefined;
  }
}
