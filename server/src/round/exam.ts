import type { Engine, Shape } from '../engine/ops.ts';
import { Random } from '../engine/random.ts';
import type { Student } from '../student/architecture.ts';
import { samplesPerRun } from '../student/input.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import type { CollaborationSettings } from '../uncol/settings.ts';
import type { Guidance } from '../uncol/stage-two.ts';
import { calibrate, type ExamSlice, refused } from '../uncol/teachers/calibration.ts';
import type { GeneralizedTeacher } from '../uncol/teachers/generalized.ts';
import { SpecializedTeacher } from '../uncol/teachers/specialized.ts';
import { varyContrast } from './augment.ts';
import { evenly, hasForeground } from './draw.ts';
import type { RoundData } from './gather.ts';
import { drawTurn, type Turn, turn, undo } from './turn.ts';

/** Slices of an exam at most; each costs some prompts. */
const examSlices = 12;

interface Surroundings {
  readonly engine: Engine;
  readonly student: Student;
  readonly space: Shape;
}

/**
 * The exam of a round: the new corrections, which the version in service has not learnt yet. So neither teacher knows the
 * answers.
 */
function roundExam(corrected: RoundData['corrected']): readonly ExamSlice[] {
  const fresh = corrected.filter(({ isNew }) => isNew);
  const pieces = (fresh.length > 0 ? fresh : corrected).flatMap((correction) => correction.pieces);
  return evenly(pieces.filter(hasForeground), examSlices).map((piece) => ({ ...piece, seen: piece.image }));
}

/** Who helps in a round, and how far it is believed; null where there is no unlabelled slice to teach on. */
export async function guideRound(
  teacher: GeneralizedTeacher,
  data: Pick<RoundData, 'unlabelled' | 'corrected'>,
  settings: CollaborationSettings,
  surroundings: Surroundings,
  inService: Float32Array,
): Promise<Guidance | null> {
  if (data.unlabelled.length === 0) return null;
  return examine(teacher, roundExam(data.corrected), settings, surroundings, inService);
}

/**
 * The exam where every labelled slice has been learnt: the specialized teacher sees them turned, scaled and with another
 * contrast, and its answer is turned back to the slice that the generalized teacher sees. With another contrast alone it
 * still knows where things lie, and looks better than it is. Windows of volumes are not turned: there it is harder for the
 * generalized teacher to be admitted.
 *
 * @param space of a slice or window.
 */
export function rehearse(labelled: readonly LabelledSlice[], space: Shape, seed: number): readonly ExamSlice[] {
  const random = Random.for(seed, 'exam');
  const pieces = evenly(labelled.filter(hasForeground), 2 * examSlices);
  if (space.length > 2) return pieces.map((piece) => ({ ...piece, seen: varyContrast(piece.image, space, random) }));
  const width = space.at(-1) ?? 1;
  return pieces.map((slice) => {
    const there = drawTurn(random);
    const seen = turn(varyContrast(slice.image, space, random), width, there);
    return { ...slice, seen, restore: (answer) => turnBack(answer, slice.image.length, width, undo(there)) };
  });
}

/** p_S [C,H,W], class by class; what comes in from outside is background. */
function turnBack(answer: Float32Array, pixels: number, width: number, back: Turn): Float32Array {
  const restored = new Float32Array(answer.length);
  restored.fill(1, 0, pixels);
  for (let start = pixels; start < answer.length; start += pixels) {
    restored.set(turn(answer.subarray(start, start + pixels), width, back), start);
    for (let at = 0; at < pixels; at++) restored[at] = (restored[at] ?? 0) - (restored[start + at] ?? 0);
  }
  return restored;
}

/** Whether and how far the generalized teacher is believed beside a specialized one with these weights. */
export async function examine(
  teacher: GeneralizedTeacher,
  exam: readonly ExamSlice[],
  settings: CollaborationSettings,
  { engine, student, space }: Surroundings,
  weights: Float32Array,
): Promise<Guidance> {
  if (teacher.isAbsent) return { teacher, calibration: refused(student.classes, settings) };
  const specialized = await SpecializedTeacher.of(engine, student, { batch: samplesPerRun(space), space }, weights);
  try {
    const ask = (slices: readonly Float32Array[]) => specialized.ask(slices);
    const size = { classes: student.classes, space };
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
    const { slices, generalized, specialized } = of;
    if (generalized === null || specialized === null)
      return [`${label}: not admitted, there was nothing to examine it on`];
    const numbers = `Dice ${generalized.toFixed(2)} against ${specialized.toFixed(2)} of the version in service, ${slices} slices`;
    return [`${label}: ${calibration.admitted[c] ? 'admitted' : 'not admitted'} (${numbers})`];
  });
  return [teacher.description, ...(verdicts.length > 0 ? [`${verdicts.join('; ')}.`] : [])].join(' ');
}
