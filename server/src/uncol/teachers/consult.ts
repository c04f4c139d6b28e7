import type { Arrays } from '../../engine/ops.ts';
import { product } from '../../student/layers.ts';
import type { BoxRule } from '../boxes.ts';
import { type ImageSize, stack } from '../inputs.ts';
import { decide, promptsOfAnswer } from '../prompts.ts';
import type { Calibration } from './calibration.ts';
import { absentLogit, type GeneralizedTeacher } from './generalized.ts';
import type { SpecializedTeacher } from './specialized.ts';

/** Both teachers of stage 2, and how the generalized one is asked. */
export interface Teachers {
  readonly specialized: SpecializedTeacher;
  readonly generalized: GeneralizedTeacher;
  readonly calibration: Calibration;
}

/** Of the settings of stage 2. */
export interface ConsultRule {
  readonly promptComponents: number;
  readonly sliceGate: number;
}

/**
 * Asks both teachers about unlabelled images: the specialized one first, the generalized one with prompts made of what the
 * first found of the classes that it is admitted for. It has no word on pixels of the other classes.
 *
 * @param unlabelled slices or windows [space...] float32, as many as the specialized teacher was created for.
 * @returns the inputs `unlabelled`, `specialized`, `maskLogits`, `answered` and `kept` of stage 2.
 */
export async function consultTeachers(
  { specialized: specializedTeacher, generalized, calibration }: Teachers,
  unlabelled: readonly Float32Array[],
  size: ImageSize,
  rule: ConsultRule,
): Promise<Arrays> {
  const pixels = product(size.space);
  const perSlice = size.classes * pixels;
  const specialized = await specializedTeacher.ask(unlabelled);
  const maskLogits = new Float32Array(unlabelled.length * (size.classes - 1) * pixels).fill(absentLogit);
  const answered = new Float32Array(unlabelled.length * pixels);
  const boxes: BoxRule = { margin: calibration.margin, components: rule.promptComponents };
  for (const [index, image] of unlabelled.entries()) {
    const seen = specialized.subarray(index * perSlice, (index + 1) * perSlice);
    const prompts = promptsOfAnswer(seen, size, boxes).map((found, c) => (calibration.admitted[c] ? found : []));
    const logits = await generalized.ask({ image, space: size.space, prompts });
    if (!logits) continue;
    if (logits.length !== (size.classes - 1) * pixels)
      throw new RangeError(`the generalized teacher answered ${logits.length} logits for ${size.classes} classes`);
    maskLogits.set(logits, index * (size.classes - 1) * pixels);
    const labels = decide(seen, size.classes, pixels);
    for (let at = 0; at < pixels; at++) {
      const label = labels[at] ?? 0;
      answered[index * pixels + at] = label === 0 || calibration.admitted[label - 1] ? 1 : 0;
    }
  }
  // Where the specialized teacher is alone the gate has nobody to protect: it only costs slices (README, Decisions).
  const leastDice = calibration.admitted.some((is) => is) ? rule.sliceGate : 0;
  const kept = await keptSlices(specializedTeacher, unlabelled, specialized, size, leastDice);
  return { unlabelled: stack(unlabelled, pixels), specialized, maskLogits, answered, kept };
}

/**
 * The slice gate: 0 for an image on which the specialized teacher contradicts itself when left and right are exchanged.
 * What it says of both is then wrong far more often. [N,1,1...].
 */
async function keptSlices(
  teacher: SpecializedTeacher,
  slices: readonly Float32Array[],
  answer: Float32Array,
  { classes, space }: ImageSize,
  leastDice: number,
): Promise<Float32Array> {
  const kept = new Float32Array(slices.length).fill(1);
  if (leastDice === 0) return kept;
  const width = space.at(-1) ?? 1;
  const pixels = product(space);
  const mirrored = await teacher.ask(slices.map((slice) => mirror(slice, width)));
  const perSlice = classes * pixels;
  return kept.map((_, n) => {
    const of = (all: Float32Array) => decide(all.subarray(n * perSlice, (n + 1) * perSlice), classes, pixels);
    return agreement(of(answer), mirror(of(mirrored), width)) >= leastDice ? 1 : 0;
  });
}

function mirror<T extends Float32Array | Uint8Array>(slice: T, width: number): T {
  const turned = slice.slice() as T;
  for (let start = 0; start < turned.length; start += width) turned.subarray(start, start + width).reverse();
  return turned;
}

/** Dice over all foreground pixels, a pixel agreeing when its class does; 1 where both are empty. */
function agreement(a: Uint8Array, b: Uint8Array): number {
  let both = 0;
  let sum = 0;
  for (const [at, label] of a.entries()) {
    sum += Number(label > 0) + Number((b[at] ?? 0) > 0);
    if (label > 0 && label === b[at]) both += 1;
  }
  return sum === 0 ? 1 : (2 * both) / sum;
}
