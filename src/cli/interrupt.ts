/** The signals by which a person or a supervisor ends a command, with the exit codes shells know them by. */
const INTERRUPTS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Calls `say` and ends this process when it is interrupted: 130 after Ctrl-C.
 *
 * @returns a function that takes it back.
 */
export function onInterrupt(say: () => void): () => void {
  const listeners = Object.entries(INTERRUPTS).map(([signal, exitCode]) => {
    const listener = (): void => {
      say();
      process.exit(exitCode);
    };
    process.once(signal, listener);
    return () => process.off(signal, listener);
  });
  return () => {
    for (const remove of listeners) remove();
  };
}
