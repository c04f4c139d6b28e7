import type { Arrays, LossProgram, Shape } from '../../server/src/engine/ops.ts';
import { Random } from '../../server/src/engine/random.ts';
import type { Student } from '../../server/src/student/architecture.ts';
import { product } from '../../server/src/student/layers.ts';
import { drawDropout, dropoutInputs, dropoutTensors } from '../../server/src/uncol/dropout.ts';
import { take } from '../../server/src/uncol/inputs.ts';
import { supervisedLoss } from '../../server/src/uncol/losses/supervised.ts';

/** Sizes of a batch, [N,1,space...]. */
export interface BatchSize {
  readonly batch: number;
  /** [H,W] or [D,H,W]. */
  readonly space: Shape;
}

/**
 * Student and supervised loss of stage 1 without the pasting before them: the part of a step in which all heads learn.
 * Inputs: `images` and `region` [N,1,space...], one-hot `truth` [N,C,space...], and the dropout masks.
 */
export function supervisedProgram(student: Student, { batch, space }: BatchSize): LossProgram {
  return {
    inputs: {
      images: [batch, 1, ...space],
      truth: [batch, student.classes, ...space],
      region: [batch, 1, ...space],
      ...dropoutInputs(student, { mixes: batch, space }),
    },
    build(ops, parameters, inputs) {
      const dropout = dropoutTensors(student, inputs);
      const { heads } = student.forward(ops, parameters, take(inputs, 'images'), { dropout });
      const { value, terms } = supervisedLoss(ops, heads, take(inputs, 'truth'), take(inputs, 'region'));
      return { loss: value, terms };
    },
  };
}

/** Bright balls in noise, one a sample: intensities and class indices, both [N,1,space...]. Shells of the ball are the classes. */
export function drawBalls(classes: number, { batch, space }: BatchSize, random: Random) {
  const pixels = product(space);
  const images = new Float32Array(batch * pixels);
  const labels = new Float32Array(batch * pixels);
  for (let sample = 0; sample < batch; sample += 1) {
    const centre = space.map((side) => random.uniform(0.3, 0.7) * side);
    const shell = (random.uniform(0.15, 0.3) * Math.min(...space)) / (classes - 1);
    for (let pixel = 0; pixel < pixels; pixel += 1) {
      let [rest, square] = [pixel, 0];
      for (let axis = space.length - 1; axis >= 0; axis -= 1) {
        square += ((rest % space[axis]!) - centre[axis]!) ** 2;
        rest = Math.floor(rest / space[axis]!);
      }
      const label = Math.max(0, classes - 1 - Math.floor(Math.sqrt(square) / shell));
      labels[sample * pixels + pixel] = label;
      images[sample * pixels + pixel] = label + random.normal(0.5);
    }
  }
  return { images, labels };
}

/** A batch for {@link supervisedProgram}: balls, a quarter of the pixels unknown. */
export function drawBatch(student: Student, size: BatchSize, seed: number): Arrays {
  const random = Random.for(seed, 'batch');
  const { images, labels } = drawBalls(student.classes, size, random);
  const pixels = product(size.space);
  const truth = new Float32Array(student.classes * labels.length);
  for (const [at, label] of labels.entries())
    truth[(Math.floor(at / pixels) * student.classes + label) * pixels + (at % pixels)] = 1;
  const region = Float32Array.from(labels, () => (random.next() < 0.25 ? 0 : 1));
  return { images, truth, region, ...drawDropout(random, student, { mixes: size.batch, space: size.space }) };
}
