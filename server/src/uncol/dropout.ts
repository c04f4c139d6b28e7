import type { Arrays, InputShapes, Shape, Tensor, Tensors } from '../engine/ops.ts';
import type { Random } from '../engine/random.ts';
import type { Student } from '../student/architecture.ts';
import { take } from './inputs.ts';

/** Sizes of the batch that the student reads. */
export interface StudentBatch {
  readonly mixes: number;
  readonly space: Shape;
}

const nameOf = (level: number) => `dropout${level}`;

/** The dropout masks as inputs of a program, `dropout0`, `dropout1`, ... from the first encoder level down; none in 3D. */
export function dropoutInputs(student: Student, { mixes, space }: StudentBatch): InputShapes {
  const shapes = student.dropoutShapes(mixes, space);
  return Object.fromEntries(shapes.map((shape, level) => [nameOf(level), shape]));
}

/** The inputs of {@link dropoutInputs} as the student wants them. */
export function dropoutTensors(student: Student, inputs: Tensors): Tensor[] {
  return student.dropout.map((_, level) => take(inputs, nameOf(level)));
}

/** Draws the masks: 0 with the level's probability p, else 1 / (1 - p), so that the mean stays. */
export function drawDropout(random: Random, student: Student, batch: StudentBatch): Arrays {
  const masks = Object.entries(dropoutInputs(student, batch)).map(([name, shape], level) => {
    const drop = student.dropout[level] ?? 0;
    const kept = 1 / (1 - drop);
    const mask = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let index = 0; index < mask.length; index++) mask[index] = random.next() < drop ? 0 : kept;
    return [name, mask] as const;
  });
  return Object.fromEntries(masks);
}
