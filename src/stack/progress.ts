/** One line about a long step, for a person who waits. `step` is stable and short, `message` is prose without a full stop. */
export interface ProgressEvent {
  readonly step: 'temporal-cli' | 'server' | 'process' | 'lock' | 'stop';
  readonly message: string;
}

/** Takes progress. The command line prints it on stderr; it must not throw. */
export type OnProgress = (event: ProgressEvent) => void;

/** Environment variables as `process.env` has them. Passed in, never read from the process, so that tests choose them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `75000` as `1 min 15 s`. Under a minute: `15 s`. */
export function formatElapsed(elapsedMs: number): string {
  const seconds = Math.max(0, Math.round(elapsedMs / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
