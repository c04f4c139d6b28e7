import type { Engine } from '../engine/ops.ts';
import type { Student } from '../student/architecture.ts';
import type { CollaborationSettings } from '../uncol/settings.ts';
import type { Guidance } from '../uncol/stage-two.ts';
import { calibrate } from '../uncol/teachers/calibration.ts';
import type { GeneralizedTeacher } from '../uncol/teachers/generalized.ts';
import { SpecializedTeacher } from '../uncol/teachers/specialized.ts';
import type { RoundData } from './gather.ts';
import { hasForeground } from './subjects.ts';

/** Slices of an exam at most; each costs some prompts. */
const examSlices = 12;

interface Surroundings {
  readonly engine: Engine;
  readonly student: Student;
  readonly height: number;
  readonly width: number;
}

/**
 * Whether and how far the generalized teacher of a round is believed. It sits an exam on the new corrections against the
 * version in service, which has not learnt them yet: so neither knows the answers.
 *
 * @returns null where there is no unlabelled slice to teach on.
 */
export async function examine(
  teacher: GeneralizedTeacher,
  { unlabelled, fresh, corrected }: Pick<RoundData, 'unlabelled' | 'fresh' | 'corrected'>,
  settings: CollaborationSettings,
  { engine, student, height, width }: Surroundings,
  inService: Float32Array,
): Promise<Guidance | null> {
  if (unlabelled.length === 0) return null;
  const shown = (fresh.length > 0 ? fresh : corrected).filter(hasForeground);
  const every = Math.max(1, shown.length / examSlices);
  const exam = Array.from({ length: Math.min(examSlices, shown.length) }, (_, n) => shown[Math.floor(n * every)])
    .filter((slice) => slice !== undefined)
    .map((slice) => ({ ...slice, seen: slice.image }));
  const specialized = await SpecializedTeacher.create(engine, student, { batch: 8, space: [height, width] });
  try {
    const ask = (slices: readonly Float32Array[]) => specialized.ask(inService, slices);
    const size = { classes: student.classes, space: [height, width] };
    return { teacher, calibration: await calibrate(teacher, ask, exam, size, settings) };
  } finally {
    await specialized.dispose();
  }
}

/** Who taught in a round, in words. `segments`: names of the foreground classes, class 1 first. */
export function describeGuidance(guidance: Guidance | null, segments: readonly { readonly label: string }[]): string {
  if (!guidance) return 'No unlabelled study was at hand.';
  const { teacher, calibration } = guidance;
  const verdicts = calibration.evidence.flatMap((of, c) => {
    const label = segments[c]?.label ?? `class ${c + 1}`;
    if (of.slices === 0) return [`${label}: not admitted, there was nothing to examine it on`];
    const numbers = `Dice ${of.generalized.toFixed(2)} against ${of.specialized.toFixed(2)} of the version in service, ${of.slices} slices`;
    return [`${label}: ${calibration.admitted[c] ? 'admitted' : 'not admitted'} (${numbers})`];
  });
  return [teacher.description, ...(verdicts.length > 0 ? [`${verdicts.join('; ')}.`] : [])].join(' ');
}
