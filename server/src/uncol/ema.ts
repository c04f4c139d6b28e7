/**
 * Share of the old specialized teacher that an update keeps while it warms up (eq. 15): min(1 - 1/(step + 1), limit).
 * Step 0 keeps nothing: the teacher becomes a copy of the student.
 */
export function warmingEmaDecay(step: number, limit: number): number {
  return Math.min(1 - 1 / (step + 1), limit);
}
