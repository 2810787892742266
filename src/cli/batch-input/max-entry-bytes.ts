/** The longest line, record or file that is taken (64 MB): longer ones are not kept in memory. */
export const MAX_ENTRY_BYTES = 64 * 1024 * 1024;
