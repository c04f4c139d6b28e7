import type { ForwardProgram, InputShapes, LossProgram, Ops, Shape, Tensor, Tensors } from '../engine/ops.ts';
import type { Student } from '../student/architecture.ts';
import { type DistilledMaps, distilVisual, pasteMaps, takeVisual, visualInputs } from './distill.ts';
import { dropoutInputs, dropoutTensors } from './dropout.ts';
import { foundationOutput } from './foundation.ts';
import { gate } from './gating.ts';
import { everywhere, take } from './inputs.ts';
import { mixLoss, type Side, type SideLoss, sideLoss } from './losses/pseudo-label.ts';
import { oneHot, outside, paste } from './mix.ts';
import type { CollaborationSettings } from './settings.ts';
import { normalisedEntropy } from './uncertainty.ts';

/**
 * Sizes that a stage-2 step is built for: `pairs` n times (A, B, U_a, U_b), so 2n labelled and 2n unlabelled images.
 */
export interface CollaborationShape {
  readonly pairs: number;
  /** [H,W] or [D,H,W]. */
  readonly space: Shape;
}

type Rule = Pick<CollaborationSettings, 'groundTruthWeight' | 'pseudoWeight' | 'visualWeight' | 'foundationProb'>;

/**
 * One step of stage 2, everything that decides what is learnt: gate both teachers (eq. 6-9, 16), paste labelled and
 * unlabelled slices both ways (eq. 10), learn from both sides of both mixes (eq. 11, 12), distil (eq. 17, 19).
 *
 * Inputs, float32, first half of each batch A or U_a, second half B or U_b: `images`, `labels`, `known` [2n,1,space...]
 * as in stage 1; `unlabelled`, alike; of the specialized teacher `specialized` [2n,C,space...], probabilities; of the
 * generalized one `maskLogits` [2n,C-1,space...], `answered` [2n,1,space...], 0 where it abstains, `temperature`
 * [1,C-1,1...]; `kept` [2n,1,1...], 0 for images that teach nothing; `threshold` [1,1,1...], tau; `mask`
 * [1,1,space...], M; the dropout masks; with `maps` the hidden maps `labelledVisual0`, `unlabelledVisual0`, ... A labelled pixel that nobody vouched for
 * teaches nothing.
 *
 * Terms: Dice and cross-entropy of both sides, unweighted, summed over both mixes; `groundTruth` and `pseudo`, whose
 * sum is the loss but for `visual` (unweighted, with `visualSpread`); `generalizedTrust`, `specializedTrust` and
 * `ignored`, shares of the unlabelled pixels.
 */
export function collaborateProgram(
  student: Student,
  shape: CollaborationShape,
  weights: Rule,
  maps: DistilledMaps | null = null,
): LossProgram {
  const frame = { batch: 2 * shape.pairs, space: shape.space };
  const distilled = maps && {
    ...visualInputs('labelled', maps, frame),
    ...visualInputs('unlabelled', maps, frame),
  };
  return {
    inputs: { ...labelledInputs(student, shape), ...teacherInputs(student, shape), ...distilled },
    build(ops, parameters, inputs) {
      const mask = take(inputs, 'mask');
      const [a, b] = labelledHalves(ops, inputs, student.classes);
      const gated = gateTeachers(ops, inputs, weights.foundationProb);
      const [imageA, imageB] = halves(ops, take(inputs, 'unlabelled'));
      const [pseudoA, pseudoB] = halves(ops, gated.label);
      const [trustedA, trustedB] = halves(ops, gated.trusted);

      const mixes = ops.concat([paste(ops, a.image, imageA, mask), paste(ops, imageB, b.image, mask)], 0);
      const outputs = student.forward(ops, parameters, mixes, { dropout: dropoutTensors(student, inputs) });
      const [logits1, logits2] = halves(ops, outputs.logits);
      const truth = (of: Labelled, part: Tensor) => side(ops, of.truth, part, of.known, weights.groundTruthWeight);
      const guess = (label: Tensor, part: Tensor, trusted: Tensor) =>
        side(ops, label, part, trusted, weights.pseudoWeight);
      const patch = outside(ops, mask);
      const mix1 = mixLoss(ops, logits1, truth(a, mask), guess(pseudoA, patch, trustedA));
      const mix2 = mixLoss(ops, logits2, truth(b, patch), guess(pseudoB, mask, trustedB));
      const visual = maps && distilVisual(ops, parameters, student, mixedMaps(ops, inputs, maps, mask), outputs);
      const segmentation = ops.add(mix1.value, mix2.value);
      return {
        // The mean over both mixes, so twice the weight makes the sum of eq. 19.
        loss: visual ? ops.add(segmentation, ops.mul(visual.loss, ops.scalar(2 * weights.visualWeight))) : segmentation,
        terms: {
          ...sideTerms(ops, 'groundTruth', mix1.groundTruth, mix2.groundTruth),
          ...sideTerms(ops, 'pseudo', mix1.pseudo, mix2.pseudo),
          ...(visual ? { visual: visual.loss, visualSpread: visual.spread } : {}),
          generalizedTrust: ops.mean(gated.generalizedTrusted),
          specializedTrust: ops.mean(gated.specializedTrusted),
          ignored: ops.mean(outside(ops, gated.trusted)),
        },
      };
    },
  };
}

/**
 * Stage 2 where no unlabelled slice is at hand: the same two mixes out of labelled slices only, A on B and B on A, every
 * side ground truth. Inputs are those of {@link collaborateProgram} without the teachers' and `unlabelled`.
 */
export function labelledOnlyProgram(student: Student, shape: CollaborationShape, weights: Rule): LossProgram {
  return {
    inputs: labelledInputs(student, shape),
    build(ops, parameters, inputs) {
      const mask = take(inputs, 'mask');
      const patch = outside(ops, mask);
      const [a, b] = labelledHalves(ops, inputs, student.classes);
      const mixes = ops.concat([paste(ops, a.image, b.image, mask), paste(ops, b.image, a.image, mask)], 0);
      const { logits } = student.forward(ops, parameters, mixes, { dropout: dropoutTensors(student, inputs) });
      const [logits1, logits2] = halves(ops, logits);
      const truth = (of: Labelled, part: Tensor) => side(ops, of.truth, part, of.known, weights.groundTruthWeight);
      const image = [sideLoss(ops, logits1, truth(a, mask)), sideLoss(ops, logits2, truth(b, mask))] as const;
      const pasted = [sideLoss(ops, logits1, truth(b, patch)), sideLoss(ops, logits2, truth(a, patch))] as const;
      const sides = [...image, ...pasted].map((loss) => loss.value);
      return {
        loss: sides.reduce((sum, value) => ops.add(sum, value)),
        terms: { ...sideTerms(ops, 'image', ...image), ...sideTerms(ops, 'patch', ...pasted) },
      };
    },
  };
}

/**
 * What stage 2 would learn from unlabelled slices, for its own sake. Inputs as in {@link collaborateProgram}, the
 * teachers' alone. Outputs: `label`, one-hot [2n,C,space...]; `trusted` [2n,1,space...], 0 where nothing would be learnt.
 */
export function gateProgram(student: Student, shape: CollaborationShape, weights: Rule): ForwardProgram {
  const { unlabelled: _, ...inputs } = teacherInputs(student, shape);
  return {
    inputs,
    build(ops, _parameters, given) {
      const { label, trusted } = gateTeachers(ops, given, weights.foundationProb);
      return { label, trusted };
    },
  };
}

interface Labelled {
  readonly image: Tensor;
  /** One-hot [n,C,space...]. */
  readonly truth: Tensor;
  readonly known: Tensor;
}

function labelledInputs(student: Student, shape: CollaborationShape): InputShapes {
  const { pairs, space } = shape;
  const image = [2 * pairs, 1, ...space];
  return {
    images: image,
    labels: image,
    known: image,
    mask: [1, 1, ...space],
    ...dropoutInputs(student, { mixes: 2 * pairs, space }),
  };
}

function teacherInputs(student: Student, { pairs, space }: CollaborationShape): InputShapes {
  const image = [2 * pairs, 1, ...space];
  const one = everywhere(space);
  return {
    unlabelled: image,
    specialized: [2 * pairs, student.classes, ...space],
    maskLogits: [2 * pairs, student.classes - 1, ...space],
    answered: image,
    temperature: [1, student.classes - 1, ...one],
    kept: [2 * pairs, 1, ...one],
    threshold: [1, 1, ...one],
  };
}

function gateTeachers(ops: Ops, inputs: Tensors, foundationProb: Rule['foundationProb']) {
  const specialized = take(inputs, 'specialized');
  const gated = gate(
    ops,
    foundationOutput(
      ops,
      take(inputs, 'maskLogits'),
      take(inputs, 'temperature'),
      take(inputs, 'answered'),
      foundationProb,
    ),
    { probabilities: specialized, uncertainty: normalisedEntropy(ops, specialized) },
    take(inputs, 'threshold'),
  );
  const kept = take(inputs, 'kept');
  return {
    label: gated.label,
    trusted: ops.mul(gated.trusted, kept),
    generalizedTrusted: ops.mul(gated.generalizedTrusted, kept),
    specializedTrusted: ops.mul(gated.specializedTrusted, kept),
  };
}

/** The hidden maps of both mixes, A on U_a and U_b on B. */
function mixedMaps(ops: Ops, inputs: Tensors, maps: DistilledMaps, mask: Tensor): Tensor[] {
  const unlabelled = takeVisual(inputs, 'unlabelled', maps);
  return takeVisual(inputs, 'labelled', maps).map((map, at) => {
    const [a, b] = halves(ops, map);
    const [first, second] = halves(ops, unlabelled[at] as Tensor);
    return ops.concat([pasteMaps(ops, a, first, mask), pasteMaps(ops, second, b, mask)], 0);
  });
}

function labelledHalves(ops: Ops, inputs: Tensors, classes: number): [Labelled, Labelled] {
  const [imageA, imageB] = halves(ops, take(inputs, 'images'));
  const [truthA, truthB] = halves(ops, oneHot(ops, take(inputs, 'labels'), classes));
  const [knownA, knownB] = halves(ops, take(inputs, 'known'));
  return [
    { image: imageA, truth: truthA, known: knownA },
    { image: imageB, truth: truthB, known: knownB },
  ];
}

function side(ops: Ops, truth: Tensor, part: Tensor, valid: Tensor, weight: number): Side {
  return { truth, region: ops.mul(valid, part), weight };
}

/** First and second half of a batch. */
function halves(ops: Ops, x: Tensor): [Tensor, Tensor] {
  const size = x.shape[0] ?? 0;
  return [ops.slice(x, 0, 0, size / 2), ops.slice(x, 0, size / 2, size)];
}

function sideTerms(ops: Ops, name: string, first: SideLoss, second: SideLoss): Tensors {
  return {
    [name]: ops.add(first.value, second.value),
    [`${name}CrossEntropy`]: ops.add(first.terms.crossEntropy, second.terms.crossEntropy),
    [`${name}Dice`]: ops.add(first.terms.dice, second.terms.dice),
  };
}
