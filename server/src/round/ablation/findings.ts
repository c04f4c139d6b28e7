import { meanOf, sdOf } from '../statistics.ts';
import { type Arm, type ArmName, armNames, arms } from './arms.ts';
import type { AblationRow } from './run.ts';
import { describeGain, gainOf } from './summary.ts';

/** What the rows of one task say of the method, one sentence each: gains of UnCoL, its gate, the teacher's exam. */
export function findingsOf(rows: readonly AblationRow[], task: string): readonly string[] {
  const of = (arm: ArmName) => rows.filter((row) => row.task === task && row.arm === arm);
  return [
    ...gains(rows, task),
    ...pseudoGains(rows, task),
    ...shareOfFull('uncol', of('uncol'), of('full')),
    ...shareOfFull('uncol-visual', of('uncol-visual'), of('full')),
    ...enrichment(of('uncol')),
    ...armNames.flatMap((arm) => repeats(arm, of(arm))),
    ...armNames.flatMap((arm) => admissions(arm, of(arm))),
  ];
}

/** Arms compared, the first minus the second. */
const comparisons: readonly (readonly [arm: ArmName, against: ArmName, words: string])[] = [
  ['uncol', 'mean-teacher', 'UnCoL - mean teacher'],
  ['uncol', 'supervised', 'UnCoL - supervised'],
  ['uncol', 'stage-1', 'UnCoL - stage 1'],
  ['uncol-visual', 'mean-teacher', 'UnCoL with visual distillation - mean teacher'],
  ['uncol-visual', 'supervised', 'UnCoL with visual distillation - supervised'],
  ['uncol-visual', 'stage-1', 'UnCoL with visual distillation - stage 1'],
  ['uncol-visual', 'uncol', 'UnCoL with - without visual distillation in stage 2'],
  ['uncol-distilled', 'uncol', 'UnCoL from a stage 1 with - without distillation'],
  ['stage-1-distilled', 'stage-1', 'Stage 1 with - without distillation'],
  ['uncol', 'uncol-no-vit', 'UnCoL with - without the transformer branch'],
  ['supervised', 'supervised-no-vit', 'Supervised with - without the transformer branch'],
];

function gains(rows: readonly AblationRow[], task: string): readonly string[] {
  return comparisons.flatMap(([arm, against, words]) => {
    const gain = gainOf(rows, task, arm, against);
    return gain ? [`${words}: ${describeGain(gain)}, 95 % interval over ${gain.sets} labelled sets.`] : [];
  });
}

/** A gate leaves out what is hard, so an arm with one is also compared with another that has it, and both without. */
const pseudoComparisons: typeof comparisons = [
  ['uncol', 'mean-teacher', 'UnCoL behind its gate - mean teacher on every pixel'],
  ['uncol', 'mean-teacher-gate', 'UnCoL - mean teacher, each behind the slice gate'],
  ['calibrated', 'mean-teacher', 'Fused as published, calibrated - mean teacher, both on every pixel that is trusted'],
];

function pseudoGains(rows: readonly AblationRow[], task: string): readonly string[] {
  const labelled = rows.filter(({ pseudoDice }) => pseudoDice !== null);
  return pseudoComparisons.flatMap(([arm, against, words]) => {
    const gain = gainOf(labelled, task, arm, against, ({ pseudoDice }) => pseudoDice ?? Number.NaN);
    return gain ? [`Dice of the pseudo labels where they teach, ${words}: ${describeGain(gain)}.`] : [];
  });
}

function shareOfFull(name: ArmName, rows: readonly AblationRow[], full: readonly AblationRow[]): readonly string[] {
  const share = meanOf(rows.map(({ dice }) => dice)) / meanOf(full.map(({ dice }) => dice));
  return Number.isFinite(share) ? [`${arms[name].title}: share of full supervision ${share.toFixed(3)}.`] : [];
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

/** How far runs lie apart that differ in nothing but their seed, and whether averaging or choosing weights lowers that. */
function repeats(name: ArmName, rows: readonly AblationRow[]): readonly string[] {
  const labelled = new Set(rows.map((row) => row.labelled));
  if (labelled.size !== 1 || rows.length < 3) return [];
  const sd = (by: (row: AblationRow) => number) => sdOf(rows.map(by)).toFixed(3);
  const [last, ema, validated] = [sd((row) => row.dice), sd((row) => row.diceEma), sd((row) => row.diceValidated)];
  return [
    `${arms[name].title}: ${rows.length} seeds on one labelled set differ by sd ${last}; their EMA by ${ema}, the weights that validation chose by ${validated}.`,
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
