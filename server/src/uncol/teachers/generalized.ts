import type { Shape } from '../../engine/ops.ts';
import type { DistilledMaps } from '../distill.ts';
import type { Prompts } from '../prompts.ts';

/** A slice, [H,W], or a window of a volume, [D,H,W], as the network sees it. */
export interface Frame {
  /** [space...] float32, row-major, intensities as the student gets them. */
  readonly image: Float32Array;
  readonly space: Shape;
}

/** The same, and where the specialized teacher found something. */
export interface ImageToAsk extends Frame {
  readonly prompts: Prompts;
}

/** Mask logit of a class that was not asked for: certainly not here. */
export const absentLogit = -30;

/** Inner values of a teacher, for distillation. */
export interface FeatureSource {
  readonly maps: DistilledMaps;
  /** h: the hidden maps of an image, each [channels,kept...] (feature-maps.ts), shallow first. */
  hidden(image: Frame): Promise<readonly Float32Array[]>;
  /**
   * src: the prompt-conditioned embeddings of an image, all foreground classes one after the other,
   * [(C-1)*channels,kept...]; 0 for a class without a prompt. Of several prompts of one class the first counts.
   */
  semantic(image: ImageToAsk): Promise<Float32Array>;
}

/** The frozen foundation model that is prompted with what the specialized teacher found. */
export interface GeneralizedTeacher {
  /** One sentence for panel, log and model card. */
  readonly description: string;
  /** Null where nothing but its answers is to be had. */
  readonly features: FeatureSource | null;
  /** It never answers. */
  readonly isAbsent?: true;
  /** Does what takes long and depends on no prompt, so that a later question is answered sooner. */
  prepare(image: Frame): Promise<void>;
  /**
   * @returns mask logits of every foreground class, [C-1,space...] float32; null where it abstains, as it does when nothing was
   *   found to prompt it with: a foundation model given the whole frame as a box invents an object on an empty slice.
   */
  ask(image: ImageToAsk): Promise<Float32Array | null>;
}

/**
 * No foundation model: with this teacher the method is a gated mean teacher with copy-paste.
 *
 * @param why a sentence for panel, log and card.
 */
export function abstainingTeacher(why: string): GeneralizedTeacher {
  return {
    description:
      `The generalized teacher abstained: pseudo-labels come from the specialized teacher alone. ${why}`.trim(),
    features: null,
    isAbsent: true,
    prepare: async () => {},
    ask: async () => null,
  };
}
