import type { LabelmapHead } from '../api/contract.ts';
import { type Envelope, sliceOf } from '../api/envelope.ts';

/** Hundredths of normalised entropy from which a voxel belongs to a band; what lies below the first is sure. */
export interface Band {
  readonly from: number;
  readonly label: string;
  /** sRGB 0..255; the two differ in lightness, so that they are told apart without colour vision. */
  readonly colour: readonly number[];
}

/** For two classes, 0.3 is a probability of 0.05 for the other one, 0.7 one of 0.19. */
export const bands: readonly [Band, Band] = [
  { from: 30, label: 'Look here', colour: [166, 229, 255] },
  { from: 70, label: 'Look here first', colour: [0, 120, 255] },
];

/** The slice with most doubt in it, summed over the voxels of both bands; null where the model was sure of all. */
export function findLeastSure(map: Envelope<LabelmapHead>): string | null {
  let most = 0;
  let found: string | null = null;
  map.head.slices.forEach((sliceId, index) => {
    let doubt = 0;
    for (const value of sliceOf(map, index)) if (value >= bands[0].from) doubt += value;
    if (doubt <= most) return;
    most = doubt;
    found = sliceId;
  });
  return found;
}

/** 0 where the model was sure, else the number of the band. */
export function bandOf(hundredths: number): number {
  if (hundredths >= bands[1].from) return 2;
  return hundredths >= bands[0].from ? 1 : 0;
}
