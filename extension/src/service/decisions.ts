import type { Pool, Round } from '../api/contract.ts';

/** What an administrator may decide about a model; each with a reason that stays on record. */
export type Decision =
  | { readonly kind: 'promote'; readonly version: number }
  | { readonly kind: 'refuse'; readonly roundId: string; readonly version: number }
  | { readonly kind: 'roll-back'; readonly version: number }
  | { readonly kind: 'pin'; readonly version: number }
  | { readonly kind: 'unpin' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' };

/** Whether a version of a round passed the gate and nobody has decided about it yet. */
export function isWaiting(round: Round | null, inService: number): round is Round & { readonly toVersion: number } {
  if (round?.verdict?.outcome !== 'waiting' || round.toVersion === null) return false;
  return round.refusal === null && round.toVersion > inService;
}

/** What can be decided now, the most likely first. */
export function openDecisions(pool: Pool, round: Round | null): readonly Decision[] {
  const { inService } = pool;
  return [
    ...(isWaiting(round, inService)
      ? ([
          { kind: 'promote', version: round.toVersion },
          { kind: 'refuse', roundId: round.id, version: round.toVersion },
        ] as const)
      : []),
    ...(inService > 1 ? [{ kind: 'roll-back', version: inService } as const] : []),
    pool.pin === null ? { kind: 'pin', version: inService } : { kind: 'unpin' },
    pool.pause === null ? { kind: 'pause' } : { kind: 'resume' },
  ];
}

/** Whether a decision needs a reason: what only takes a stop away needs none. */
export function needsReason({ kind }: Decision): boolean {
  return kind !== 'unpin' && kind !== 'resume';
}

/** Shortest reason that the server takes. */
export const leastReason = 3;

/** A decision as its button says it. */
export function nameDecision(decision: Decision): string {
  switch (decision.kind) {
    case 'promote':
      return `Put version ${decision.version} in service`;
    case 'refuse':
      return `Refuse version ${decision.version}`;
    case 'roll-back':
      return `Roll back version ${decision.version}`;
    case 'pin':
      return `Keep version ${decision.version} whatever comes`;
    case 'unpin':
      return 'Let new versions come into service again';
    case 'pause':
      return 'Pause learning';
    case 'resume':
      return 'Resume learning';
  }
}
