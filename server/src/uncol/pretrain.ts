import type { LossProgram, Shape, Tensors } from '../engine/ops.ts';
import type { Student } from '../student/architecture.ts';
import {
  type DistilledMaps,
  distilVisual,
  pasteMaps,
  posteriorOf,
  semanticInput,
  takeSemantic,
  takeVisual,
  visualInputs,
} from './distill.ts';
import { dropoutInputs, dropoutTensors } from './dropout.ts';
import { take } from './inputs.ts';
import { semanticLoss, spread } from './losses/distillation.ts';
import { supervisedLoss } from './losses/supervised.ts';
import { oneHot, paste } from './mix.ts';

/** Sizes that a stage-1 step is built for. `batch` images a step: one image A and `batch - 1` images B_i. */
export interface PretrainingShape {
  readonly batch: number;
  /** [H,W] or [D,H,W]. */
  readonly space: Shape;
}

/**
 * One step of stage 1, data-efficient pretraining: copy-paste inside the labelled set (eq. 10), supervised loss of
 * the four heads (eq. 5), visual and semantic distillation (eq. 17, 18).
 *
 * With a teacher that has prompt-conditioned embeddings the decoder attends to the posterior made of them, and the
 * student's own prior is drawn towards it; at inference the prior stands in its place, so no teacher is needed then.
 *
 * Inputs, float32, N = batch: `images` [N,1,space...]; `labels`, alike, class indices; `known`, alike, 1 where the
 * label is vouched for; `mask` [1,1,space...], M; the dropout masks; with a teacher its maps, `labelledVisual0`, ...,
 * `labelledSemantic`, and `distillation` [1,1,1,1], w(t). Image 0 is A, pasted with each of the others.
 *
 * Terms: the four losses; `visual`, `semantic`, unweighted; `visualSpread`, `posteriorSpread`.
 */
export function pretrainProgram(
  student: Student,
  shape: PretrainingShape,
  maps: DistilledMaps | null = null,
): LossProgram {
  const { batch, space } = shape;
  if (batch < 2) throw new RangeError(`copy-paste needs two labelled slices a step or more, got ${batch}`);
  const image = [batch, 1, ...space];
  const distilled = maps && {
    ...visualInputs('labelled', maps, shape),
    ...semanticInput('labelled', maps, shape, student.classes),
    distillation: [1, 1, 1, 1],
  };
  return {
    inputs: {
      images: image,
      labels: image,
      known: image,
      mask: [1, 1, ...space],
      ...dropoutInputs(student, { mixes: batch - 1, space }),
      ...distilled,
    },
    build(ops, parameters, inputs) {
      const mask = take(inputs, 'mask');
      const first = (x: Tensors[string]) => ops.slice(x, 0, 0, 1);
      const others = (x: Tensors[string]) => ops.slice(x, 0, 1, batch);
      const mixed = (name: string) => {
        const x = take(inputs, name);
        return paste(ops, first(x), others(x), mask);
      };
      const mixedMap = (x: Tensors[string]) => pasteMaps(ops, first(x), others(x), mask);
      const posterior =
        maps && maps.semantic !== null
          ? posteriorOf(ops, parameters, student, mixedMap(takeSemantic(inputs, 'labelled')))
          : undefined;
      const outputs = student.forward(ops, parameters, mixed('images'), {
        dropout: dropoutTensors(student, inputs),
        ...(posterior ? { posterior } : {}),
      });
      const truth = oneHot(ops, mixed('labels'), student.classes);
      const supervised = supervisedLoss(ops, outputs.heads, truth, mixed('known'));
      if (!maps) return { loss: supervised.value, terms: supervised.terms };

      const terms: Record<string, Tensors[string]> = { ...supervised.terms };
      const distillation: Tensors[string][] = [];
      if (maps.visual.length > 0) {
        const visual = distilVisual(
          ops,
          parameters,
          student,
          takeVisual(inputs, 'labelled', maps).map(mixedMap),
          outputs,
        );
        distillation.push(visual.loss);
        terms['visual'] = visual.loss;
        terms['visualSpread'] = visual.spread;
      }
      if (posterior) {
        const semantic = semanticLoss(ops, outputs.prior, posterior);
        distillation.push(semantic);
        terms['semantic'] = semantic;
        terms['posteriorSpread'] = spread(ops, posterior);
      }
      const all = distillation.reduce((sum, one) => ops.add(sum, one), ops.scalar(0));
      const weighted = ops.mul(all, ops.sum(take(inputs, 'distillation')));
      return { loss: ops.add(supervised.value, weighted), terms };
    },
  };
}
