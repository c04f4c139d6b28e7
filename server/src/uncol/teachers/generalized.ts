import type { DistilledMaps } from '../distill.ts';
import type { Box } from '../prompts.ts';

/** A slice as the network sees it, and where the specialized teacher found something. */
export interface SliceToAsk {
  /** [H,W] float32, row-major, intensities as the student gets them. */
  readonly image: Float32Array;
  readonly height: number;
  readonly width: number;
  /** Boxes of each foreground class, `boxes[c - 1]` of class c; none: the class is not asked for. */
  readonly boxes: readonly (readonly Box[])[];
}

/** Mask logit of a class that was not asked for: certainly not here. */
export const absentLogit = -30;

/** Inner values of a teacher, for distillation. */
export interface FeatureSource {
  readonly maps: DistilledMaps;
  /** h: the hidden maps of a slice, each [channels,16,16], shallow first. */
  hidden(slice: Omit<SliceToAsk, 'boxes'>): Promise<readonly Float32Array[]>;
  /**
   * src: the prompt-conditioned embeddings of a slice, all foreground classes one after the other, [(C-1)*channels,16,16];
   * 0 for a class without a box. Of several boxes of one class the first counts.
   */
  semantic(slice: SliceToAsk): Promise<Float32Array>;
}

/** The frozen foundation model that is prompted with what the specialized teacher found. */
export interface GeneralizedTeacher {
  /** One sentence for panel, log and model card. */
  readonly description: string;
  /** Null where nothing but its answers is to be had. */
  readonly features: FeatureSource | null;
  /** Does what takes long and depends on no prompt, so that a later question is answered sooner. */
  prepare(slice: Omit<SliceToAsk, 'boxes'>): Promise<void>;
  /**
   * @returns mask logits of every foreground class, [C-1,H,W] float32; null where it abstains, as it does when nothing was
   *   found to prompt it with: a foundation model given the whole frame as a box invents an object on an empty slice.
   */
  ask(slice: SliceToAsk): Promise<Float32Array | null>;
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
    prepare: async () => {},
    ask: async () => null,
  };
}
