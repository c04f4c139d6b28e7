import type { Random } from '../engine/random.ts';
import { product } from '../student/layers.ts';
import { type Box, type BoxRule, boxesOf } from './boxes.ts';
import { type Click, clicksInTruth, surestClicks } from './clicks.ts';
import type { ImageSize } from './inputs.ts';

/** What the generalized teacher is pointed at: boxes in slices, clicks in volumes. */
export type Prompt = Box | Click;

/** Prompts of each foreground class, class 1 first; none: the class is not asked for. */
export type Prompts = readonly (readonly Prompt[])[];

/**
 * The prompts of a labelled image: boxes by the rule in 2D, clicks in 3D.
 *
 * @param labels class indices, [space...].
 * @param random draws the clicks.
 */
export function promptsOfTruth(labels: Uint8Array, size: ImageSize, rule: BoxRule, random: Random): Prompts {
  return size.space.length === 2 ? boxesOf(labels, size, rule) : clicksInTruth(labels, size, random);
}

/**
 * The prompts of an unlabelled image: boxes by the rule in 2D, clicks in 3D.
 *
 * @param probabilities p_S, [C,space...] float32.
 */
export function promptsOfAnswer(probabilities: Float32Array, size: ImageSize, rule: BoxRule): Prompts {
  const labels = decide(probabilities, size.classes, product(size.space));
  return size.space.length === 2 ? boxesOf(labels, size, rule) : surestClicks(probabilities, labels, size);
}

/** The largest entry of each pixel (the first on ties), [space...]; `probabilities` [C,space...]. */
export function decide(probabilities: Float32Array, classes: number, pixels: number): Uint8Array {
  const labels = new Uint8Array(pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    let best = probabilities[pixel] ?? 0;
    for (let label = 1; label < classes; label++) {
      const value = probabilities[label * pixels + pixel] ?? 0;
      if (value > best) {
        best = value;
        labels[pixel] = label;
      }
    }
  }
  return labels;
}
