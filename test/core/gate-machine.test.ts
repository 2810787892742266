import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { FOUND_RATE } from '../../src/core/found-rate.ts';
import { DEFAULT_GATE } from '../../src/core/gate-config.ts';
import type { GateConfig } from '../../src/core/gate-config.ts';
import { GATE_STATES } from '../../src/core/gate-contract.ts';
import type { GateReport } from '../../src/core/gate-contract.ts';
import { callsPerSecond, newGate, nextGate, nextMoment } from '../../src/core/gate-machine.ts';
import type { GateEvent, GateMemory } from '../../src/core/gate-machine.ts';

const START = Date.UTC(2026, 0, 31);
/** As good as none. */
const NO_CALLS = 0.001;

const NOTHING: GateReport = {
  succeeded: 0,
  answeredBegunAt: null,
  failed: {},
  isKeyRefused: false,
  isNearlyUsedUp: false,
  failuresInARow: 0,
  isUnreachable: false,
  takenPerSecond: 0,
  notBefore: null,
  tokens: 0,
  limits: {},
};

/** Something that happens so many seconds after {@link START}. */
type Step = readonly [atSeconds: number, event: GateEvent];

function at(seconds: number): number {
  return START + seconds * 1_000;
}

function report(atSeconds: number, told: Partial<GateReport>): Step {
  const answeredBegunAt = (told.succeeded ?? 0) > 0 ? at(atSeconds) : null;
  return [atSeconds, { kind: 'report', report: { ...NOTHING, answeredBegunAt, ...told } }];
}

function broken(atSeconds: number, calls: number): Step {
  return report(atSeconds, { failed: { server_error: calls }, failuresInARow: calls });
}

function answered(atSeconds: number, calls: number): Step {
  return report(atSeconds, { succeeded: calls });
}

function limited(atSeconds: number, told: Partial<GateReport> = {}): Step {
  return report(atSeconds, { failed: { rate_limit: 1 }, takenPerSecond: 10, ...told });
}

function time(atSeconds: number): Step {
  return [atSeconds, { kind: 'time' }];
}

function trip(atSeconds: number, forMs?: number): Step {
  return [atSeconds, { kind: 'trip', reason: 'maintenance', ...(forMs === undefined ? {} : { forMs }) }];
}

function reset(atSeconds: number): Step {
  return [atSeconds, { kind: 'reset', reason: 'all is well' }];
}

function workerStarted(atSeconds: number): Step {
  return [atSeconds, { kind: 'worker_started' }];
}

function after(steps: readonly Step[], config: GateConfig = DEFAULT_GATE): GateMemory {
  return steps.reduce((gate, [seconds, event]) => nextGate(gate, event, at(seconds), config), newGate(START));
}

/** A gate in short: its state, its rate, and in how many seconds from {@link START} it does something by itself. */
function seen(steps: readonly Step[], config: GateConfig = DEFAULT_GATE): object {
  const gate = after(steps, config);
  const moment = nextMoment(gate, config);
  const rate = callsPerSecond(gate, config, at(steps.at(-1)?.[0] ?? 0));
  return {
    state: gate.state,
    rate: rate === null ? null : Number(rate.toPrecision(4)),
    moment: moment === null ? null : (moment - START) / 1_000,
  };
}

const OPEN: readonly Step[] = [broken(1, 10)];
const HALF_OPEN: readonly Step[] = [...OPEN, answered(9, 1)];
const THROTTLED: readonly Step[] = [limited(1)];
const PARKED: readonly Step[] = [trip(1)];
const PROBE_RATE = 0.2;

type Row = readonly [what: string, steps: readonly Step[], expected: object];

describe('a closed gate', () => {
  test.each<Row>([
    ['lets all calls through', [], { state: 'closed', rate: null, moment: null }],
    ['stays closed as long as calls are answered', [answered(1, 500)], { state: 'closed', rate: null }],
    ['slows down after a 429', [limited(1)], { state: 'throttled', rate: 9.5, moment: 6 }],
    [
      'makes no call before Retry-After has passed',
      [limited(1, { notBefore: at(61) })],
      { state: 'throttled', rate: NO_CALLS, moment: 61 },
    ],
    [
      'takes a Retry-After that is over for none',
      [limited(1, { notBefore: at(1) })],
      { state: 'throttled', rate: 9.5, moment: 6 },
    ],
    ['bears nine failures in a row', [broken(1, 4), broken(2, 5)], { state: 'closed' }],
    ['opens at ten', [broken(1, 4), broken(2, 6)], { state: 'open', rate: PROBE_RATE, moment: null }],
    [
      'counts from the last success on',
      [broken(1, 9), report(2, { succeeded: 1, failed: { timeout: 9 }, failuresInARow: 9 })],
      { state: 'closed' },
    ],
    [
      'counts failures of connection, server and time alike',
      [report(1, { failed: { connection_error: 3, server_error: 3, timeout: 4 } })],
      { state: 'open' },
    ],
    [
      'counts no request that was wrong, and no 429, as a failure',
      [report(1, { failed: { client_error: 50 } }), report(2, { failed: { rate_limit: 50 } })],
      { state: 'throttled' },
    ],
    [
      'is parked by a quota that is exhausted',
      [report(1, { failed: { quota_exhausted: 1 } })],
      { state: 'parked' },
    ],
    [
      'is parked by a refused key',
      [report(1, { failed: { client_error: 1 }, isKeyRefused: true })],
      { state: 'parked', rate: NO_CALLS, moment: null },
    ],
    [
      'opens at once where the provider cannot be reached',
      [report(1, { failed: { connection_error: 3 }, failuresInARow: 3, isUnreachable: true })],
      { state: 'open', rate: PROBE_RATE, moment: null },
    ],
    [
      'opens where that is told after the failures',
      [broken(1, 3), report(2, { failuresInARow: 3, isUnreachable: true })],
      { state: 'open' },
    ],
    [
      'stays closed where a call was answered since',
      [broken(1, 3), report(2, { succeeded: 1, isUnreachable: true })],
      { state: 'closed' },
    ],
    ['is parked by hand', [trip(1)], { state: 'parked', rate: NO_CALLS, moment: null }],
    ['is parked by hand for a time', [trip(1, 30_000)], { state: 'parked', rate: NO_CALLS, moment: 31 }],
    ['has nothing to do by itself', [time(100)], { state: 'closed', moment: null }],
  ])('%s', (_what, steps, expected) => {
    expect(seen(steps)).toMatchObject(expected);
  });
});

describe('the window', () => {
  const config: GateConfig = { ...DEFAULT_GATE, consecutiveFailures: 1_000 };
  const half = (atSeconds: number, calls: number): Step =>
    report(atSeconds, { succeeded: calls, failed: { server_error: calls }, failuresInARow: 1 });

  test.each<Row>([
    ['says nothing with fewer than minimumNumberOfCalls', [half(1, 49)], { state: 'closed' }],
    ['opens at failureRateThreshold', [half(1, 25), half(2, 25)], { state: 'open' }],
    ['bears less', [answered(1, 1), half(2, 50)], { state: 'closed' }],
    [
      'counts 429s as calls',
      [report(1, { failed: { rate_limit: 51, server_error: 50 } })],
      { state: 'throttled' },
    ],
    ['forgets failures older than slidingWindowSize', [broken(0, 60), broken(100, 60)], { state: 'closed' }],
    ['remembers younger ones', [broken(0, 60), broken(99, 60)], { state: 'open' }],
    ['forgets successes as well', [answered(0, 100), broken(50, 99), broken(101, 1)], { state: 'open' }],
  ])('%s', (_what, steps, expected) => {
    expect(seen(steps, config)).toMatchObject(expected);
  });

  it('is judged only when a failure comes: successes that leave it open nothing', () => {
    const steps = [answered(0, 100), broken(50, 99), answered(101, 1)];
    expect(seen(steps, config)).toMatchObject({ state: 'closed' });
    expect(seen([...steps, broken(101, 1)], config)).toMatchObject({ state: 'open' });
  });

  it('says in the reason what it saw', () => {
    expect(after([half(1, 50)], config).reason).toBe('50 of 100 calls failed in 100 s');
    expect(after(OPEN).reason).toBe('10 calls in a row failed');
    const away = report(1, { failed: { timeout: 3 }, failuresInARow: 3, isUnreachable: true });
    expect(after([away]).reason).toBe('the provider cannot be reached; 3 calls in a row failed');
  });
});

describe('a throttled gate', () => {
  test.each<Row>([
    ['is lowered by further 429s', [...THROTTLED, limited(4)], { state: 'throttled', rate: 5.7, moment: 9 }],
    ['is not lowered twice for the same 429s', [...THROTTLED, limited(2)], { rate: 9.5, moment: 6 }],
    ['grows while there is none', [...THROTTLED, time(6)], { state: 'throttled', rate: 14.25, moment: 11 }],
    ['does nothing before its time', [...THROTTLED, time(5)], { rate: 9.5, moment: 6 }],
    [
      'closes at many times the rate that was too much',
      [...THROTTLED, ...[6, 11, 16, 21, 26, 31, 36, 41].map(time)],
      { state: 'closed', rate: null, moment: null },
    ],
    [
      'opens where the provider cannot be reached',
      [...THROTTLED, report(2, { failed: { timeout: 3 }, failuresInARow: 3, isUnreachable: true })],
      { state: 'open', rate: PROBE_RATE },
    ],
    ['opens by failures', [...THROTTLED, broken(2, 10)], { state: 'open', rate: PROBE_RATE }],
    [
      'is parked by a quota',
      [...THROTTLED, report(2, { failed: { quota_exhausted: 1 } })],
      { state: 'parked' },
    ],
    [
      'keeps the later of two times that were told',
      [limited(1, { notBefore: at(60) }), limited(2, { notBefore: at(30) })],
      { rate: NO_CALLS, moment: 60 },
    ],
    [
      'goes on at its rate once the pause is over, and grows a step later',
      [limited(1, { notBefore: at(60) }), time(60)],
      { state: 'throttled', rate: 9.5, moment: 65 },
    ],
    [
      'does not grow in a pause',
      [limited(1, { notBefore: at(600) }), ...[6, 60, 300, 599].map(time)],
      { state: 'throttled', rate: NO_CALLS, moment: 600 },
    ],
    [
      'tries no call in a pause, even if the circuit opens',
      [limited(1, { notBefore: at(60) }), broken(2, 10)],
      { state: 'open', rate: NO_CALLS, moment: 60 },
    ],
    [
      'keeps the pause told in the report that opens it',
      [limited(1, { failed: { rate_limit: 1, timeout: 10 }, notBefore: at(60) })],
      { state: 'open', rate: NO_CALLS, moment: 60 },
    ],
    [
      'begins probing once the pause is over',
      [limited(1, { notBefore: at(60) }), broken(2, 10), time(60)],
      { state: 'open', rate: PROBE_RATE, moment: null },
    ],
  ])('%s', (_what, steps, expected) => {
    expect(seen(steps)).toMatchObject(expected);
  });
});

describe('an open gate', () => {
  test.each<Row>([
    ['stays open while probes fail', [...OPEN, broken(9, 1)], { state: 'open', rate: PROBE_RATE }],
    ['does nothing by itself', [...OPEN, time(1_000)], { state: 'open', moment: null }],
    ['is half open after an answer', HALF_OPEN, { state: 'half_open', rate: 10, moment: 19 }],
    [
      'takes no call that was under way when it opened for a probe',
      [...OPEN, report(2, { succeeded: 5, answeredBegunAt: at(0.5) })],
      { state: 'open' },
    ],
    ['is throttled by a 429: the provider is well', [...OPEN, limited(9)], { state: 'throttled', rate: 9.5 }],
    ['is parked by a quota', [...OPEN, report(9, { failed: { quota_exhausted: 1 } })], { state: 'parked' }],
    ['is parked by hand', [...OPEN, trip(9)], { state: 'parked' }],
    ['is closed by a reset', [...OPEN, reset(9)], { state: 'closed', rate: null }],
  ])('%s', (_what, steps, expected) => {
    expect(seen(steps)).toMatchObject(expected);
  });

  const round = (from: number): readonly Step[] => [answered(from, 1), broken(from + 1, 5)];
  test.each([
    [0, [], 5_000],
    [1, round(10), 10_000],
    [2, [...round(10), ...round(30)], 20_000],
    [3, [...round(10), ...round(30), ...round(70)], 40_000],
    [4, [...round(10), ...round(30), ...round(70), ...round(140)], 60_000],
    ['closed and 0', [...round(10), ...round(30), answered(70, 1), answered(71, 10), broken(80, 10)], 5_000],
    ['reset and 0', [...round(10), ...round(30), reset(70), broken(80, 10)], 5_000],
  ] as const)('after %s reopenings is tried each %i ms', (_count, steps, waitMs) => {
    const gate = after([...OPEN, ...steps]);
    expect(gate.state).toBe('open');
    expect(callsPerSecond(gate, DEFAULT_GATE, at(200))).toBeCloseTo(1_000 / waitMs, 6);
  });

  it('is tried no more rarely than asked for, where the longest time is shorter than the first', () => {
    const config = { ...DEFAULT_GATE, maxWaitDurationInOpenStateMs: 1_000 };
    expect(seen(OPEN, config)).toMatchObject({ rate: PROBE_RATE });
  });
});

describe('a half open gate', () => {
  const afterThrottled: readonly Step[] = [...THROTTLED, broken(2, 10), answered(10, 1)];

  test.each<Row>([
    ['waits for enough probes', [...HALF_OPEN, answered(10, 9)], { state: 'half_open' }],
    ['closes when they are answered', [...HALF_OPEN, answered(10, 10)], { state: 'closed', rate: null }],
    [
      'opens, for longer, where the provider cannot be reached',
      [...HALF_OPEN, report(10, { failed: { timeout: 3 }, failuresInARow: 3, isUnreachable: true })],
      { state: 'open', rate: 0.1 },
    ],
    ['opens when half of them fail', [...HALF_OPEN, broken(10, 5)], { state: 'open', rate: 0.1 }],
    [
      'bears that fewer fail',
      [...HALF_OPEN, report(10, { succeeded: 6, failed: { timeout: 4 }, failuresInARow: 1 })],
      { state: 'closed' },
    ],
    ['is throttled by a 429', [...HALF_OPEN, limited(10)], { state: 'throttled', rate: 9.5 }],
    [
      'is parked by a quota',
      [...HALF_OPEN, report(10, { failed: { quota_exhausted: 1 } })],
      { state: 'parked' },
    ],
    ['is parked by hand', [...HALF_OPEN, trip(10)], { state: 'parked' }],
    ['is closed by a reset', [...HALF_OPEN, reset(10)], { state: 'closed' }],
    [
      'closes after a while, where few calls wait',
      [...HALF_OPEN, answered(10, 2), time(19)],
      { state: 'closed' },
    ],
    ['closes after a while without any', [...HALF_OPEN, time(19)], { state: 'closed' }],
    ['opens after a while, where few calls fail', [...HALF_OPEN, broken(10, 2), time(19)], { state: 'open' }],
    ['does not decide sooner', [...HALF_OPEN, broken(10, 2), time(18)], { state: 'half_open' }],
    ['lets no more through than the rate found before', afterThrottled, { state: 'half_open', rate: 9.5 }],
    [
      'goes back to the rate found before',
      [...afterThrottled, answered(11, 10)],
      { state: 'throttled', rate: 9.5, moment: 16 },
    ],
    [
      'makes no call in a pause, and decides after it',
      [limited(1, { notBefore: at(60) }), broken(2, 10), answered(3, 1), answered(4, 20), time(60)],
      { state: 'half_open', rate: 9.5, moment: 70 },
    ],
  ])('%s', (_what, steps, expected) => {
    expect(seen(steps)).toMatchObject(expected);
  });
});

describe('a parked gate', () => {
  const KEY: readonly Step[] = [report(1, { failed: { client_error: 1 }, isKeyRefused: true })];
  const QUOTA: readonly Step[] = [report(1, { failed: { quota_exhausted: 1 } })];

  test.each<Row>([
    ['is not moved by reports', [...PARKED, answered(2, 50), limited(3), broken(4, 50)], { state: 'parked' }],
    ['is not moved by time', [...PARKED, time(100_000)], { state: 'parked', moment: null }],
    ['is half open when its time has come', [trip(1, 30_000), time(31)], { state: 'half_open', moment: 41 }],
    ['stays parked before that', [trip(1, 30_000), time(30.9)], { state: 'parked', moment: 31 }],
    [
      'is half open when a worker starts, where the key was refused',
      [...KEY, workerStarted(2)],
      { state: 'half_open' },
    ],
    ['stays parked for its quota when a worker starts', [...QUOTA, workerStarted(2)], { state: 'parked' }],
    ['stays parked by hand when a worker starts', [...PARKED, workerStarted(2)], { state: 'parked' }],
    [
      'is parked by hand also where the key was refused',
      [...KEY, trip(2), workerStarted(3)],
      { state: 'parked' },
    ],
    ['is closed by a reset', [...QUOTA, reset(2)], { state: 'closed', rate: null, moment: null }],
    [
      'keeps a pause that is longer than its time',
      [limited(1, { notBefore: at(60) }), trip(2, 10_000), time(12)],
      { state: 'half_open', rate: NO_CALLS, moment: 60 },
    ],
  ])('%s', (_what, steps, expected) => {
    expect(seen(steps)).toMatchObject(expected);
  });

  test.each([
    ['quota', QUOTA, /check plan and billing, then reset the gate/],
    ['key', KEY, /correct it in the workers' environment/],
    ['operator', PARKED, /^maintenance$/],
  ] as const)('for %s says what to do', (parkedFor, steps, reason) => {
    expect(after(steps)).toMatchObject({ parkedFor, reason: expect.stringMatching(reason) });
  });
});

test.each([
  ['closed', [], 'closed'],
  ['throttled', THROTTLED, 'throttled'],
  ['open', OPEN, 'open'],
  ['half_open', HALF_OPEN, 'half_open'],
] as const)('a worker that starts leaves a gate that is %s as it is', (_name, steps, state) => {
  const before = after(steps);
  expect(before.state).toBe(state);
  expect(nextGate(before, { kind: 'worker_started' }, at(20), DEFAULT_GATE)).toBe(before);
});

test('a reset forgets everything but what is known of the provider', () => {
  const known = report(0.5, { succeeded: 2, tokens: 200, limits: { rpm: 600 } });
  const steps = [known, limited(1, { notBefore: at(60) }), broken(2, 10), trip(3), reset(4)];
  expect(after(steps)).toEqual({
    ...newGate(at(4)),
    reason: 'all is well',
    tokensPerCall: 100,
    limits: { rpm: 600 },
  });
});

describe('limits', () => {
  const rpm: GateConfig = { ...DEFAULT_GATE, rpm: 60 };
  const tpm: GateConfig = { ...DEFAULT_GATE, tpm: 6_000 };
  const tokens = (atSeconds: number, succeeded: number, tokens: number): Step =>
    report(atSeconds, { succeeded, tokens });

  test.each<readonly [...Row, GateConfig]>([
    ['rpm is kept to while closed', [], { rate: 1 }, rpm],
    [
      'rpm is kept to while throttled, whatever is found',
      [limited(1), time(6)],
      { state: 'throttled', rate: 1 },
      rpm,
    ],
    ['rpm is kept to while open', OPEN, { state: 'open', rate: 0.01667 }, { ...DEFAULT_GATE, rpm: 1 }],
    ['rpm is kept to while half open', HALF_OPEN, { state: 'half_open', rate: 1 }, rpm],
    ['tpm says nothing before tokens are known', [], { rate: null }, tpm],
    ['tpm is divided by the tokens of a call', [tokens(1, 4, 200)], { rate: 2 }, tpm],
    ['the lower of rpm and tpm counts', [tokens(1, 4, 200)], { rate: 1 }, { ...rpm, tpm: 6_000 }],
    [
      'a new report moves the average of tokens by a fifth',
      [tokens(1, 1, 50), tokens(2, 1, 100)],
      { rate: 1.667 },
      tpm,
    ],
    ['a report without tokens leaves the average', [tokens(1, 1, 50), tokens(2, 5, 0)], { rate: 2 }, tpm],
    [
      'tokens a minute that the headers tell are kept to',
      [report(1, { succeeded: 1, tokens: 100, limits: { tpm: 6_000 } })],
      { rate: 1 },
      DEFAULT_GATE,
    ],
    [
      'tpm goes before the headers',
      [report(1, { succeeded: 1, tokens: 100, limits: { tpm: 60 } })],
      { rate: 1 },
      tpm,
    ],
    [
      'requests a minute that the headers tell are where a 429 begins',
      [limited(1, { limits: { rpm: 120 } })],
      { state: 'throttled', rate: 1.9 },
      DEFAULT_GATE,
    ],
    [
      'a limit that is nearly used up is kept to before a 429',
      [report(1, { succeeded: 1, isNearlyUsedUp: true, limits: { rpm: 120 } })],
      { state: 'throttled', rate: 1.9 },
      DEFAULT_GATE,
    ],
    [
      'rpm makes that needless',
      [report(1, { succeeded: 1, isNearlyUsedUp: true, limits: { rpm: 120 } })],
      { state: 'closed', rate: 1 },
      rpm,
    ],
    [
      'a limit that is nearly used up says nothing without its size',
      [report(1, { succeeded: 1, isNearlyUsedUp: true })],
      { state: 'closed' },
      DEFAULT_GATE,
    ],
    [
      'a 429 at rpm lowers what was tried, not what was found',
      [limited(1), time(6), time(11), limited(12)],
      { state: 'throttled', rate: 0.6 },
      rpm,
    ],
  ])('%s', (_what, steps, expected, config) => {
    expect(seen(steps, config)).toMatchObject(expected);
  });
});

const anyConfig: fc.Arbitrary<GateConfig> = fc.record(
  {
    failureRateThreshold: fc.integer({ min: 1, max: 100 }),
    slidingWindowSize: fc.integer({ min: 1, max: 200 }),
    minimumNumberOfCalls: fc.integer({ min: 1, max: 200 }),
    consecutiveFailures: fc.integer({ min: 1, max: 30 }),
    waitDurationInOpenStateMs: fc.integer({ min: 1, max: 60_000 }),
    waitDurationMultiplier: fc.double({ min: 1, max: 10, noNaN: true }),
    maxWaitDurationInOpenStateMs: fc.integer({ min: 1, max: 120_000 }),
    permittedNumberOfCallsInHalfOpenState: fc.integer({ min: 1, max: 20 }),
    maxWaitDurationInHalfOpenStateMs: fc.integer({ min: 1, max: 30_000 }),
    rpm: fc.double({ min: 0.5, max: 10_000, noNaN: true }),
    tpm: fc.integer({ min: 100, max: 1_000_000 }),
  },
  {
    requiredKeys: [
      'failureRateThreshold',
      'slidingWindowSize',
      'minimumNumberOfCalls',
      'consecutiveFailures',
      'waitDurationInOpenStateMs',
      'waitDurationMultiplier',
      'maxWaitDurationInOpenStateMs',
      'permittedNumberOfCallsInHalfOpenState',
      'maxWaitDurationInHalfOpenStateMs',
    ],
  },
);

const few = fc.oneof({ arbitrary: fc.constant(0), weight: 2 }, fc.integer({ min: 1, max: 15 }));
const rarely = fc.oneof({ arbitrary: fc.constant(false), weight: 15 }, fc.constant(true));

/** A report whose times are told from when it comes. */
const anyReport: fc.Arbitrary<GateReport> = fc.record({
  succeeded: few,
  answeredBegunAt: fc.option(fc.integer({ min: -5_000, max: 0 })),
  failed: fc.record(
    {
      rate_limit: few,
      server_error: few,
      connection_error: few,
      timeout: few,
      client_error: few,
      quota_exhausted: rarely.map(Number),
    },
    { requiredKeys: [] },
  ),
  isKeyRefused: rarely,
  isNearlyUsedUp: fc.boolean(),
  failuresInARow: few,
  isUnreachable: rarely,
  takenPerSecond: fc.double({ min: 0, max: 500, noNaN: true }),
  notBefore: fc.option(fc.integer({ min: -1_000, max: 600_000 })),
  tokens: fc.nat({ max: 100_000 }),
  limits: fc.record(
    { rpm: fc.integer({ min: 1, max: 10_000 }), tpm: fc.integer({ min: 100, max: 1_000_000 }) },
    { requiredKeys: [] },
  ),
});

const anyEvent: fc.Arbitrary<GateEvent> = fc.oneof(
  { arbitrary: anyReport.map((report): GateEvent => ({ kind: 'report', report })), weight: 12 },
  { arbitrary: fc.constant<GateEvent>({ kind: 'time' }), weight: 4 },
  fc.constant<GateEvent>({ kind: 'trip', reason: 'by hand' }),
  fc
    .integer({ min: 1, max: 600_000 })
    .map((forMs): GateEvent => ({ kind: 'trip', reason: 'by hand', forMs })),
  fc.constant<GateEvent>({ kind: 'reset', reason: 'by hand' }),
  fc.constant<GateEvent>({ kind: 'worker_started' }),
);

interface Happening {
  readonly now: number;
  readonly event: GateEvent;
}

/** What happens to a gate, in the order of time. Some at the same moment, some after a long silence. */
const anyHistory: fc.Arbitrary<readonly Happening[]> = fc
  .array(fc.tuple(fc.oneof(fc.constant(0), fc.nat({ max: 2_000 }), fc.nat({ max: 120_000 })), anyEvent), {
    minLength: 1,
    maxLength: 30,
  })
  .map((steps) => {
    let now = START;
    return steps.map(([gapMs, event]) => {
      now += gapMs;
      return { now, event: placed(event, now) };
    });
  });

function placed(event: GateEvent, now: number): GateEvent {
  if (event.kind !== 'report') return event;
  const { answeredBegunAt, notBefore, succeeded } = event.report;
  return {
    kind: 'report',
    report: {
      ...event.report,
      answeredBegunAt: succeeded === 0 || answeredBegunAt === null ? null : now + answeredBegunAt,
      notBefore: notBefore === null ? null : now + notBefore,
    },
  };
}

/** Tells a gate its own time as often as it is due, as its workflow does. */
function punctual(gate: GateMemory, now: number, config: GateConfig): GateMemory {
  let told = gate;
  for (let moment = nextMoment(told, config); moment !== null && moment <= now;) {
    told = nextGate(told, { kind: 'time' }, moment, config);
    const next = nextMoment(told, config);
    expect(next === null || next > moment).toBe(true);
    moment = next;
  }
  return told;
}

/** Whether the workflow tells the time when it is due, or was away and tells it late or never. */
const anyTimeliness = fc.constantFrom<(gate: GateMemory, now: number, config: GateConfig) => GateMemory>(
  punctual,
  (gate) => gate,
);

/** Shows each gate that a history leads to, with what led there. */
const anyLife = fc.tuple(anyConfig, anyHistory, anyTimeliness).map(([config, history, told]) => ({
  config,
  history,
  last: history.at(-1)?.now ?? START,
  live: (look?: (gate: GateMemory, happening: Happening, before: GateMemory) => void): GateMemory =>
    history.reduce((gate, happening) => {
      const before = told(gate, happening.now, config);
      const next = nextGate(before, happening.event, happening.now, config);
      look?.(next, happening, before);
      return next;
    }, newGate(START)),
}));

function read(gate: GateMemory): GateMemory {
  return JSON.parse(JSON.stringify(gate)) as GateMemory;
}

const RUNS = { numRuns: 500 };

describe('whatever happens, a gate', () => {
  it('is in a known state, and hands out a rate that the server takes and that is not above rpm', () => {
    fc.assert(
      fc.property(anyLife, ({ config, live }) => {
        live((gate, { now }) => {
          expect(GATE_STATES).toContain(gate.state);
          const rate = callsPerSecond(gate, config, now);
          expect(rate === null || (Number.isFinite(rate) && rate > 0)).toBe(true);
          if (config.rpm !== undefined) expect(rate).toBeLessThanOrEqual(config.rpm / 60);
        });
      }),
      RUNS,
    );
  });

  it('can be written as JSON and read again between any two events', () => {
    fc.assert(
      fc.property(anyLife, ({ config, history, live, last }) => {
        const written = live((gate) => expect(read(gate)).toStrictEqual(gate));
        for (const { event, now } of history) {
          const later = now - START + last;
          expect(nextGate(read(written), event, later, config)).toStrictEqual(
            nextGate(written, event, later, config),
          );
        }
      }),
      RUNS,
    );
  });

  it('gets on whenever it is told its time', () => {
    fc.assert(
      fc.property(anyLife, ({ config, live }) => {
        live((gate, { now }) => {
          const moment = nextMoment(gate, config);
          if (moment === null) return;
          expect(Number.isFinite(moment)).toBe(true);
          const due = Math.max(moment, now);
          const next = nextMoment(nextGate(gate, { kind: 'time' }, due, config), config);
          expect(next === null || next > due).toBe(true);
        });
      }),
      RUNS,
    );
  });

  it('leaves parked without a time only by a reset, or by a worker that may bring another key', () => {
    fc.assert(
      fc.property(anyLife, ({ live }) => {
        live((gate, { event }, before) => {
          if (before.state !== 'parked' || before.parkedUntil !== null) return;
          const mayLeave =
            event.kind === 'reset' || (event.kind === 'worker_started' && before.parkedFor === 'key');
          expect(gate.state === 'parked').toBe(!mayLeave);
        });
      }),
      RUNS,
    );
  });

  it('makes no call before the time that came with a 429, unless it is reset', () => {
    fc.assert(
      fc.property(anyLife, ({ config, live }) => {
        let pausedUntil = 0;
        live((gate, { event, now }) => {
          if (event.kind === 'reset') pausedUntil = 0;
          if (event.kind === 'report' && (event.report.failed.rate_limit ?? 0) > 0) {
            pausedUntil = Math.max(pausedUntil, event.report.notBefore ?? 0);
          }
          if (now < pausedUntil) {
            expect(callsPerSecond(gate, config, now)).toBeLessThanOrEqual(NO_CALLS);
            expect(callsPerSecond(gate, config, pausedUntil - 1)).toBeLessThanOrEqual(NO_CALLS);
          }
        });
      }),
      RUNS,
    );
  });

  it('is not changed by a report of nothing', () => {
    fc.assert(
      fc.property(anyLife, fc.nat({ max: 200_000 }), ({ config, live, last }, silenceMs) => {
        const gate = live();
        const now = last + silenceMs;
        const next = nextGate(gate, { kind: 'report', report: NOTHING }, now, config);
        expect({ ...next, window: [] }).toEqual({ ...gate, window: [] });
        expect(nextMoment(next, config)).toBe(nextMoment(gate, config));
        expect(callsPerSecond(next, config, now)).toBe(callsPerSecond(gate, config, now));
      }),
      RUNS,
    );
  });

  it('is closed again some time after its provider has recovered', () => {
    fc.assert(
      fc.property(anyLife, ({ config, live, last }) => {
        const gate = live();
        const isForGood = gate.state === 'parked' && gate.parkedUntil === null;
        const begun = isForGood ? nextGate(gate, { kind: 'reset', reason: '' }, last, config) : gate;
        const end = last + recoveryMs(begun, last, config);
        expect(recovered(begun, { from: last, end, config }).state).toBe('closed');
      }),
      RUNS,
    );
  });
});

/** The longest that a gate takes to close if every call succeeds. */
function recoveryMs(gate: GateMemory, now: number, config: GateConfig): number {
  const waitMs = Math.max(0, (gate.parkedUntil ?? 0) - now, (gate.pausedUntil ?? 0) - now);
  const probesPerSecond = callsPerSecond({ ...gate, state: 'open', pausedUntil: null }, config, now) ?? 1;
  const mostStepsToRelease = 30;
  return (
    waitMs +
    1_000 / probesPerSecond +
    config.maxWaitDurationInHalfOpenStateMs +
    mostStepsToRelease * FOUND_RATE.stepEveryMs +
    5_000
  );
}

/** Calls come as they are allowed, at most 20 a second, and each is reported as answered within a second. */
function recovered(
  gate: GateMemory,
  life: { readonly from: number; readonly end: number; readonly config: GateConfig },
): GateMemory {
  const { from, end, config } = life;
  let current = punctual(gate, from, config);
  let due = 0;
  for (let now = from; now < end && current.state !== 'closed';) {
    const rate = callsPerSecond(current, config, now) ?? 20;
    const isWaiting = current.state === 'parked' || current.pausedUntil !== null;
    const until = Math.min(nextMoment(current, config) ?? end, end, isWaiting ? end : now + 1_000);
    due += isWaiting ? 0 : (Math.min(rate, 20) * (until - now)) / 1_000;
    now = until;
    const before = current;
    current = punctual(current, now, config);
    if (due >= 1) {
      const succeeded = Math.floor(due);
      due -= succeeded;
      const report = { ...NOTHING, succeeded, answeredBegunAt: now };
      current = nextGate(current, { kind: 'report', report }, now, config);
    }
    if (before.state === 'throttled' && current.state === 'throttled') {
      expect(current.found?.callsPerSecond).toBeGreaterThanOrEqual(before.found?.callsPerSecond ?? 0);
    }
  }
  return current;
}
