import type { Vec3 } from '../volume/geometry.ts';
import { modalityOf, type SampleTask } from './task.ts';

/** `sample` is like a clinical T1 head; `wide` is what a student must survive (training). */
export type VariationName = 'sample' | 'wide';

/** How far subjects differ. Angles in degrees; `sd` of a smooth field is that of its spline coefficients. */
export interface Variation {
  /** Largest rotation about x (nod), y (tilt to a shoulder) and z (turn). */
  readonly rotationDegrees: Vec3;
  /** Largest relative change of size about 0.95 of Colin27 (whose brain is large): of all axes together, then of each. */
  readonly scale: readonly [number, number];
  readonly shiftMm: number;
  /** Coarse (27 mm nodes) and fine (14 mm nodes) elastic displacement. */
  readonly elasticSdMm: readonly [number, number];
  readonly biasSd: readonly [number, number];
  readonly gammaSd: number;
  readonly toneSd: number;
  /** Relative to the brightness of white matter in a T1 image; in CT to the attenuation of water. */
  readonly noise: readonly [number, number];
  /** Relative sd of the brightness of each tissue. */
  readonly tissueSd: number;
}

export const variations: Readonly<Record<VariationName, Variation>> = {
  sample: {
    rotationDegrees: [10, 10, 10],
    scale: [0.05, 0.03],
    shiftMm: 5,
    elasticSdMm: [7, 0],
    biasSd: [0.2, 0.5],
    gammaSd: 0.15,
    toneSd: 0.03,
    noise: [0.01, 0.04],
    tissueSd: 0.06,
  },
  wide: {
    rotationDegrees: [28, 22, 28],
    scale: [0.12, 0.07],
    shiftMm: 15,
    elasticSdMm: [9, 4],
    biasSd: [0.1, 1.4],
    gammaSd: 0.35,
    toneSd: 0.08,
    noise: [0.002, 0.1],
    tissueSd: 0.15,
  },
};

/**
 * How CT differs: noise of 5 to 25 HU, and in place of a receive field a shading of a few HU, as beam hardening leaves.
 * Tone, gamma and tissue sd are of MR only: ct-appearance.ts.
 */
const ctVariation: Partial<Variation> = { biasSd: [0.003, 0.02], noise: [0.005, 0.025] };

/** The numbers of a subject. */
export function variationOf(subject: {
  readonly task: SampleTask;
  readonly variation: VariationName;
  readonly change?: Partial<Variation>;
}): Variation {
  const ofModality = modalityOf(subject.task) === 'CT' ? ctVariation : {};
  return { ...variations[subject.variation], ...ofModality, ...subject.change };
}
