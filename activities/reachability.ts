/** How long a provider may take to say that it is there. */
const PATIENCE_MS = 2_000;

/** How long one is not believed that said that it is away while it was not. */
const NOT_BELIEVED_MS = 600_000;

/** Whether a provider is there at all, asked of it without a model: free of tokens, and of no limit on calls. */
export interface Reachability {
  /** Asks now. All who ask at the same time get the same answer. True where it cannot be asked. */
  ask(): Promise<boolean>;
  /** While it is asked. */
  isAsking(): boolean;
  /**
   * A model has answered. A provider that says that it is away while its models answer is not believed for a while: a gateway,
   * say, that lets nothing through but calls.
   */
  modelAnswered(): Promise<void>;
}

/** @param isReachable asks the provider; absent where it cannot be asked. */
export function reachability(
  isReachable: ((signal: AbortSignal) => Promise<boolean>) | undefined,
): Reachability {
  let asking: Promise<boolean> | undefined;
  let lastAnswer = true;
  let notBelievedUntil = 0;

  const askOnce = async (question: (signal: AbortSignal) => Promise<boolean>): Promise<boolean> => {
    try {
      lastAnswer = await question(AbortSignal.timeout(PATIENCE_MS));
    } catch {
      lastAnswer = false;
    }
    asking = undefined;
    return lastAnswer;
  };
  const ask = async (): Promise<boolean> => {
    if (isReachable === undefined || Date.now() < notBelievedUntil) return true;
    asking ??= askOnce(isReachable);
    return asking;
  };
  return {
    ask,
    isAsking: () => asking !== undefined,
    async modelAnswered() {
      if (lastAnswer) return;
      // It may have come back between the two.
      if (!(await ask())) notBelievedUntil = Date.now() + NOT_BELIEVED_MS;
      lastAnswer = true;
    },
  };
}
