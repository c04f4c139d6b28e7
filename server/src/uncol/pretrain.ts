import type { LossProgram } from '../engine/ops.ts';
import type { Student } from '../student/architecture.ts';
import { dropoutInputs, dropoutTensors } from './dropout.ts';
import { take } from './inputs.ts';
import { supervisedLoss } from './losses/supervised.ts';
import { oneHot, paste } from './mix.ts';

/** Sizes that a stage-1 step is built for. `batch` slices a step: one image A and `batch - 1` images B_i. */
export interface PretrainingShape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
}

/**
 * One step of stage 1, data-efficient pretraining: copy-paste inside the labelled set (eq. 10), supervised loss of
 * the four heads (eq. 5). The decoder attends to the student's own prior, since no generalized teacher is there.
 *
 * Inputs, float32, N = batch: `images` [N,1,H,W]; `labels` [N,1,H,W] class indices; `known` [N,1,H,W], 1 where the
 * label is vouched for; `mask` [1,1,H,W], M; and the dropout masks. Slice 0 is A, pasted with each of the others.
 */
export function pretrainProgram(student: Student, shape: PretrainingShape): LossProgram {
  const { batch, height, width } = shape;
  if (batch < 2) throw new RangeError(`copy-paste needs two labelled slices a step or more, got ${batch}`);
  const slices = [batch, 1, height, width];
  return {
    inputs: {
      images: slices,
      labels: slices,
      known: slices,
      mask: [1, 1, height, width],
      ...dropoutInputs(student, { mixes: batch - 1, height, width }),
    },
    build(ops, parameters, inputs) {
      const mask = take(inputs, 'mask');
      const mixed = (name: string) => {
        const x = take(inputs, name);
        return paste(ops, ops.slice(x, 0, 0, 1), ops.slice(x, 0, 1, batch), mask);
      };
      const { heads } = student.forward(ops, parameters, mixed('images'), { dropout: dropoutTensors(student, inputs) });
      const truth = oneHot(ops, mixed('labels'), student.classes);
      const { value, terms } = supervisedLoss(ops, heads, truth, mixed('known'));
      return { loss: value, terms };
    },
  };
}
