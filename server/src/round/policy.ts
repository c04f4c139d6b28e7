/** When rounds may start by themselves. A person who starts one is bound by none of it but an open round. */
export interface RoundPolicy {
  /** Corrections that start a round. */
  readonly correctionsPerRound: number;
  /** From the start of a round to that of the next of the same model. */
  readonly roundGapMinutes: number;
  /** In any 24 hours, of one model. */
  readonly roundsPerDay: number;
  /** Null: all day. */
  readonly roundHours: Hours | null;
  /** Hours in which the PACS is left alone. Null: none. */
  readonly quietHours: Hours | null;
}

/** Whole hours of the server's clock: from the first on, up to the last; over midnight where the first is the greater. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

/** The policy of the settings. */
export function policyOf(
  settings: Omit<RoundPolicy, 'roundHours' | 'quietHours'> & {
    readonly roundHours?: string | undefined;
    readonly pacsQuietHours?: string | undefined;
  },
): RoundPolicy {
  const { correctionsPerRound, roundGapMinutes, roundsPerDay, roundHours, pacsQuietHours } = settings;
  const limits = { correctionsPerRound, roundGapMinutes, roundsPerDay };
  return { ...limits, roundHours: parseHours(roundHours), quietHours: parseHours(pacsQuietHours) };
}

/** Hours as settings have them, e.g. `20-6`; null for none. */
function parseHours(text: string | undefined): Hours | null {
  if (text === undefined) return null;
  const [from = 0, to = 0] = text.split('-').map(Number);
  return { from, to };
}

/** Whether a time lies in hours of the server's clock; over midnight where the first is the greater. */
export function isWithin(time: Date, { from, to }: Hours): boolean {
  const hour = time.getHours();
  return from < to ? hour >= from && hour < to : hour >= from || hour < to;
}

/** What the decision to start a round of a model depends on. */
export interface RoundFacts {
  /** Corrections, not held out, that no round has used yet. */
  readonly unusedCorrections: number;
  /** A round is queued or running. */
  readonly roundOpen: boolean;
  /** An administrator has stopped rounds. */
  readonly isPaused: boolean;
  /** The last round failed, and there has been no correction since: the same work would most likely fail again. */
  readonly failedWithThese: boolean;
  /** Starts of rounds in the last 24 hours, failed ones too. */
  readonly starts: readonly Date[];
  readonly now: Date;
}

/** Why none starts though there are corrections enough, and until when where that is known. */
export interface Wait {
  readonly for: 'open-round' | 'pause' | 'another-correction' | 'gap' | 'day' | 'hours';
  readonly until: Date | null;
}

export interface RoundDecision {
  readonly start: boolean;
  /** Corrections still missing. */
  readonly missing: number;
  /** Null when one starts, or when corrections are missing. */
  readonly waits: Wait | null;
}

const minute = 60_000;
const day = 24 * 60 * minute;

/** A round starts with every `correctionsPerRound`-th correction that none has used, as soon as nothing holds it back. */
export function decideRound(facts: RoundFacts, policy: RoundPolicy): RoundDecision {
  const missing = Math.max(0, policy.correctionsPerRound - facts.unusedCorrections);
  if (missing > 0) return { start: false, missing, waits: null };
  const waits = waitOf(facts, policy);
  return { start: waits === null, missing, waits };
}

function waitOf(facts: RoundFacts, policy: RoundPolicy): Wait | null {
  const { now, starts } = facts;
  if (facts.roundOpen) return { for: 'open-round', until: null };
  if (facts.isPaused) return { for: 'pause', until: null };
  if (facts.failedWithThese) return { for: 'another-correction', until: null };
  const newestFirst = starts.map((start) => start.getTime()).toSorted((a, b) => b - a);
  const last = newestFirst[0];
  const gapEnds = last === undefined ? 0 : last + policy.roundGapMinutes * minute;
  if (gapEnds > now.getTime()) return { for: 'gap', until: new Date(gapEnds) };
  const oldestThatCounts = newestFirst[policy.roundsPerDay - 1];
  if (oldestThatCounts !== undefined && oldestThatCounts + day > now.getTime())
    return { for: 'day', until: new Date(oldestThatCounts + day) };
  const isOpen = (time: Date) =>
    (policy.roundHours === null || isWithin(time, policy.roundHours)) &&
    (policy.quietHours === null || !isWithin(time, policy.quietHours));
  return isOpen(now) ? null : { for: 'hours', until: nextHour(now, isOpen) };
}

/** The next full hour that will do, within a day; null: there is none. */
function nextHour(now: Date, isOpen: (time: Date) => boolean): Date | null {
  const hours = Array.from({ length: 24 }, (_, n) => {
    const next = new Date(now);
    next.setHours(now.getHours() + 1 + n, 0, 0, 0);
    return next;
  });
  return hours.find(isOpen) ?? null;
}
