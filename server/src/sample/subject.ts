import { type Appearance, drawAppearance } from './appearance.ts';
import type { Colin27 } from './colin27.ts';
import { drawCtAppearance } from './ct-appearance.ts';
import { drawLesion, type Lesion } from './lesion.ts';
import { modalityOf, type SampleTask } from './task.ts';
import { type Variation, type VariationName, variationOf } from './variation.ts';
import { drawWarp, type Warp } from './warp.ts';

/** Which subject: everything about it follows from these four. */
export interface SubjectOptions {
  readonly seed: number;
  readonly task: SampleTask;
  readonly variation: VariationName;
  /** Numbers of the variation that are to differ, to look at one influence alone. */
  readonly change?: Partial<Variation>;
  /**
   * `G`: a mild shift as from another scanner, with gamma 2, twice the bias field and more noise. `V`: a strong one, the
   * tissues of every MR of the sample set inverted.
   */
  readonly domain?: 'G' | 'V';
}

/** A head before it is scanned: a continuous image of positions (LPS, mm from its head centre). */
export interface Subject {
  readonly colin: Colin27;
  readonly task: SampleTask;
  readonly warp: Warp;
  readonly appearance: Appearance;
  readonly lesion: Lesion | undefined;
}

/** Draws shape, contrast, bias field and lesion by seed. */
export function drawSubject(colin: Colin27, options: SubjectOptions): Subject {
  const { seed, task } = options;
  const variation = variationOf(options);
  const factor = options.domain === 'G' ? 2 : 1;
  const warp = drawWarp(seed, variation, colin.t1.geometry, factor);
  const appearance =
    modalityOf(task) === 'CT'
      ? drawCtAppearance(colin, seed, options.variation)
      : drawAppearance(colin, seed, options.variation, variation, weightingOf(options), factor);
  const lesion = task === 'lesion' ? drawLesion(seed, colin, appearance.brightTissue) : undefined;
  return { colin, task, warp, appearance, lesion };
}

function weightingOf({ task, domain }: SubjectOptions): 't1' | 'inverted' | undefined {
  if (domain === 'V') return 'inverted';
  return task === 'lesion' ? 't1' : undefined;
}
