/** How a provider's gate decides. Names are resilience4j's where it has the thing (CircuitBreakerConfig, version 2). */
export interface GateConfig {
  /** Percent of the calls in the window that must have failed for the circuit to open. Default 50, as in resilience4j. */
  readonly failureRateThreshold: number;
  /** Seconds that the window reaches back (resilience4j's `TIME_BASED` window). Default 100, as in resilience4j. */
  readonly slidingWindowSize: number;
  /** Calls that the window must hold before its rate says anything. Default 100, as in resilience4j. */
  readonly minimumNumberOfCalls: number;
  /** So many failures one after the other open the circuit at once, whatever the window holds. Default 10; ours. */
  readonly consecutiveFailures: number;
  /**
   * While the circuit is open, one call so often is let through to see how it goes. Default 5000: resilience4j's 60 s are for
   * callers that fail meanwhile; ours wait.
   */
  readonly waitDurationInOpenStateMs: number;
  /** A provider that answers and then fails again is tried more rarely each time. Default 2. */
  readonly waitDurationMultiplier: number;
  /** The longest that grows to. Default 60000. */
  readonly maxWaitDurationInOpenStateMs: number;
  /** Calls that decide whether the circuit closes again; so many a second are let through. Default 10, as in resilience4j. */
  readonly permittedNumberOfCallsInHalfOpenState: number;
  /** Decided by what has come back after so long, where fewer calls wait. Default 10000. */
  readonly maxWaitDurationInHalfOpenStateMs: number;
  /** Requests a minute that the provider allows, where that is known. */
  readonly rpm?: number;
  /** Tokens a minute that the provider allows, where that is known. */
  readonly tpm?: number;
}

/** The documented defaults. */
export const DEFAULT_GATE: GateConfig = {
  failureRateThreshold: 50,
  slidingWindowSize: 100,
  minimumNumberOfCalls: 100,
  consecutiveFailures: 10,
  waitDurationInOpenStateMs: 5_000,
  waitDurationMultiplier: 2,
  maxWaitDurationInOpenStateMs: 60_000,
  permittedNumberOfCallsInHalfOpenState: 10,
  maxWaitDurationInHalfOpenStateMs: 10_000,
};
