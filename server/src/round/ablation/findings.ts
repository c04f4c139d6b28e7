import { type Arm, type ArmName, armNames, arms } from './arms.ts';
import type { AblationRow } from './run.ts';
import { describeGain, gainOf } from './summary.ts';

/** What the rows of one task say of the method, one sentence each: gains of UnCoL, its gate, the teacher's exam. */
export function findingsOf(rows: readonly AblationRow[], task: string): readonly string[] {
  const of = (arm: ArmName) => rows.filter((row) => row.task === task && row.arm === arm);
  return [
    ...gains(rows, task),
    ...shareOfFull(of('uncol'), of('full')),
    ...enrichment(of('uncol')),
    ...armNames.flatMap((arm) => admissions(arm, of(arm))),
  ];
}

function gains(rows: readonly AblationRow[], task: string): readonly string[] {
  const against = { 'mean-teacher': 'mean teacher', supervised: 'supervised', 'stage-1': 'stage 1' } as const;
  return Object.entries(against).flatMap(([arm, title]) => {
    const gain = gainOf(rows, task, 'uncol', arm as keyof typeof against);
    return gain ? [`UnCoL - ${title}: ${describeGain(gain)}, 95 % interval over ${gain.sets} labelled sets.`] : [];
  });
}

function shareOfFull(uncol: readonly AblationRow[], full: readonly AblationRow[]): readonly string[] {
  const share = meanOf(uncol.map(({ dice }) => dice)) / meanOf(full.map(({ dice }) => dice));
  return Number.isFinite(share) ? [`Share of full supervision: ${share.toFixed(3)}.`] : [];
}

function enrichment(uncol: readonly AblationRow[]): readonly string[] {
  const ratios = uncol.flatMap(({ ignoredBandError, keptBandError }) =>
    ignoredBandError !== null && keptBandError !== null ? [ignoredBandError / keptBandError] : [],
  );
  if (ratios.length === 0) return [];
  return [
    `Enrichment of the gate: pixels near the border of a pseudo label are wrong ${meanOf(ratios).toFixed(2)} times as often where it was left out (${ratios.length} runs).`,
  ];
}

/** For which classes the generalized teacher passed its exam; nothing of arms without one. */
function admissions(name: ArmName, rows: readonly AblationRow[]): readonly string[] {
  const arm: Arm = arms[name];
  const exams = rows.flatMap(({ admitted }) => (admitted && arm.settings.admission !== false ? [admitted] : []));
  if (exams.length === 0) return [];
  const classes = (exams[0] ?? []).map((_, c) => `class ${c + 1} in ${exams.filter((admitted) => admitted[c]).length}`);
  return [
    `${arm.title}: the generalized teacher was admitted for ${classes.join(', ')} of ${exams.length} runs, refused in the others.`,
  ];
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
