import { Random } from '../../../server/src/engine/random.ts';
import type { Segment } from '../../../server/src/labelmap/labelmap.ts';
import type { Predict } from '../../../server/src/student/predict.ts';
import type { PlaneInput } from '../../../server/src/student/prepare.ts';
import type { VolumeInput } from '../../../server/src/student/prepare-volume.ts';
import type { SegmentCard } from '../../../server/src/student/segment.ts';
import { type Geometry, indexToPatient, type Vec3 } from '../../../server/src/volume/geometry.ts';
import { createVolume, type Volume } from '../../../server/src/volume/volume.ts';

export const organ: Segment = {
  number: 1,
  label: 'Ball',
  category: { value: '123037004', scheme: 'SCT', meaning: 'Anatomical Structure' },
  type: { value: '12738006', scheme: 'SCT', meaning: 'Brain' },
  colour: [255, 0, 0],
};

export const card: SegmentCard & { readonly input: PlaneInput } = {
  input: {
    plane: 'axial',
    spacingMm: [2, 2, 2],
    sizePx: [64, 64],
    intensity: { lowPercentile: 1, highPercentile: 99 },
  },
  segments: [{ ...organ, largestComponent: true, minVolumeMl: 0 }],
};

/** The same ball for a network that sees 32 x 32 x 32 voxels of 2 mm at once. */
export const volumeCard: SegmentCard & { readonly input: VolumeInput } = {
  input: {
    spacingMm: [2, 2, 2],
    windowVoxels: [32, 32, 32],
    intensity: { lowPercentile: 1, highPercentile: 99 },
  },
  segments: card.segments,
};

/** Values of a scene over a grid; `value` sees the patient position. */
export function scene(geometry: Geometry, value: (position: Vec3) => number): Float32Array {
  const [columns, rows, slices] = geometry.size;
  const data = new Float32Array(columns * rows * slices);
  let n = 0;
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++) data[n++] = value(indexToPatient(geometry, [i, j, k]));
  return data;
}

/** Bright ball (1000 +- 35) in darker noise (100 +- 35) and its truth; the rim is shared by volume (partial volume). */
export function ballVolume(
  geometry: Geometry,
  centre: Vec3,
  radiusMm: number,
): { readonly volume: Volume; readonly truth: Uint8Array } {
  const random = new Random(11);
  const depth = (p: Vec3): number => radiusMm - Math.hypot(p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]);
  const voxelMm = Math.cbrt(geometry.spacingMm[0] * geometry.spacingMm[1] * geometry.spacingMm[2]);
  const data = scene(geometry, (p) => {
    const share = Math.min(1, Math.max(0, 0.5 + depth(p) / voxelMm));
    return 100 + 900 * share + random.uniform(-35, 35);
  });
  const truth = Uint8Array.from(scene(geometry, (p) => (depth(p) >= 0 ? 1 : 0)));
  return { volume: createVolume(Int16Array.from(data, Math.round), geometry), truth };
}

/** A network that knows the answer: steeply rising with intensity, one half where it is one half. */
export const idealPredict: Predict = async (images, n) => {
  const pixels = images.length / n;
  const probabilities = new Float32Array(2 * images.length);
  const entropy = new Float32Array(images.length);
  for (const [m, x] of images.entries()) {
    const p = 1 / (1 + Math.exp(-12 * (x - 0.5)));
    const at = Math.floor(m / pixels) * 2 * pixels + (m % pixels);
    probabilities[at] = 1 - p;
    probabilities[at + pixels] = p;
    entropy[m] = 4 * p * (1 - p);
  }
  return { probabilities, entropy };
};
