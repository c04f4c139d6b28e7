import { z } from 'zod';
import type { Optimiser } from '../engine/ops.ts';

/** Growth of a prompt box on each side, share of the frame. */
export const publishedMargin: number = 20 / 1024;

/** Numbers that both stages have. */
const common = {
  totalSteps: z
    .int()
    .min(1)
    .default(15_000)
    .describe('T, steps of the whole run, where the schedules end (steps; eq. 7, 14).'),
  weightDecay: z.number().min(0).default(1e-4).describe('Decoupled decay of AdamW (1 per unit rate; both stages).'),
  emaDecay: z.number().min(0).max(1).default(0.99).describe('mu, limit of the share kept by the EMA (1; eq. 15).'),
  boxSide: z
    .number()
    .min(0)
    .max(1)
    .default(2 / 3)
    .describe('Side of the copy-paste box, share of the frame (1; eq. 10).'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1337)
    .describe('Seed of masks and dropout (paper, both stages).'),
};

const learningRate = (usual: number) =>
  z.number().positive().default(usual).describe('Rate at step 0, decays polynomially (1; eq. 14).');

/** Every number of stage 1, data-efficient pretraining. */
export const pretrainingSettingsSchema = z.strictObject({
  ...common,
  learningRate: learningRate(2e-3),
  copyPasteShare: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Share of steps that paste slices into each other; 1 in the paper (1; eq. 10).'),
  distillationWeight: z
    .number()
    .min(0)
    .default(0.1)
    .describe('Weight of visual and semantic distillation at the end of the ramp, where there is a teacher (eq. 18).'),
  distillationRampShare: z
    .number()
    .positive()
    .max(1)
    .default(0.5)
    .describe('Share of the run over which that weight ramps up (eq. 13, 18).'),
});

/** Every number of stage 2, collaborative semi-supervised training. */
export const collaborationSettingsSchema = z.strictObject({
  ...common,
  learningRate: learningRate(1e-3),
  emaInStage2: z.boolean().default(true).describe('Whether the specialized teacher follows the student (stage 2).'),
  trustStart: z.number().min(0).max(1).default(0.75).describe('tau_0, floor of the trust threshold (1; eq. 7).'),
  trustEnd: z.number().min(0).max(1).default(1).describe('tau_1, threshold at the last step (1; eq. 7).'),
  groundTruthWeight: z.number().min(0).default(1).describe('Weight of the labelled side of a mix (1; eq. 11).'),
  pseudoWeight: z.number().min(0).default(0.5).describe('Weight of the pseudo-labelled side of a mix (1; eq. 11).'),
  foundationProb: z
    .enum(['softmax', 'renorm', 'calibrated'])
    .default('calibrated')
    .describe('How mask logits become p_G; `softmax` as published, `calibrated` by temperature (eq. 16).'),
  promptMargin: z
    .number()
    .min(0)
    .max(1)
    .default(publishedMargin)
    .describe('Growth of a prompt box on each side where it is not calibrated, share of the frame (1; stage 2).'),
  promptComponents: z.int().min(1).default(3).describe('Boxes of one class on a slice; 1 in the paper (stage 2).'),
  admission: z
    .boolean()
    .default(true)
    .describe('Whether the generalized teacher must be better than the specialized one, class by class (stage 2).'),
  sliceGate: z
    .number()
    .min(0)
    .max(1)
    .default(0.7)
    .describe(
      'Least Dice between p_S of a slice and of its mirror image, while the generalized teacher is admitted; 0: no gate. Not in the paper (stage 2).',
    ),
  visualWeight: z
    .number()
    .min(0)
    .default(0)
    .describe('Weight of the visual distillation; 0.1 in the paper (eq. 17, 19).'),
});

export type PretrainingSettings = Readonly<z.infer<typeof pretrainingSettingsSchema>>;
export type CollaborationSettings = Readonly<z.infer<typeof collaborationSettingsSchema>>;

/** AdamW with the usual moment rates and the decay of the settings, in both stages. */
export function optimiserOf(settings: { readonly weightDecay: number }): Optimiser {
  return { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: settings.weightDecay };
}
