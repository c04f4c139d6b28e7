import type { Labelmap } from '../labelmap/labelmap.ts';
import { prepareInput, type StudentInput } from '../student/input.ts';
import { type GridLabels, labelGrid } from '../student/prepare.ts';
import type { PreparedVolume } from '../student/prepare-volume.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import type { Geometry } from '../volume/geometry.ts';
import type { Volume } from '../volume/volume.ts';

/** A volume on a network's own grid with a reader's word on it; arrays `[slice, row, column]`. */
export interface LabelledVolume extends PreparedVolume, GridLabels {}

/**
 * A volume as the student would meet it, labelled: brought to its grid by the code that serves.
 *
 * @param approved slices (k) of the labelmap that are vouched for; all of them unless given.
 * @throws AppError `series-no-contrast`
 */
export function labelVolume(
  volume: Volume,
  labelmap: Labelmap,
  input: StudentInput,
  approved: ReadonlySet<number> = new Set(Array(labelmap.geometry.size[2]).keys()),
): LabelledVolume {
  const { grid, image } = prepareInput(volume, input);
  return { grid, image, ...labelGrid(labelmap, approved, grid) };
}

/** The slices of a volume, views of its arrays. */
export function slicesOf({ grid, image, label, known }: LabelledVolume): readonly LabelledSlice[] {
  const [columns, rows, slices] = grid.size;
  return Array.from({ length: slices }, (_, k) => {
    const [from, to] = [k * columns * rows, (k + 1) * columns * rows];
    return { image: image.subarray(from, to), label: label.subarray(from, to), known: known.subarray(from, to) };
  });
}

/**
 * Slices one upon another, copied.
 *
 * @param on gives size and spacing; that of the slices may be told where some between them were left out.
 */
export function stackSlices(
  slices: readonly LabelledSlice[],
  on: Pick<Geometry, 'size' | 'spacingMm'>,
): LabelledVolume {
  const [columns, rows] = on.size;
  const stacked = {
    image: new Float32Array(slices.length * columns * rows),
    label: new Uint8Array(slices.length * columns * rows),
    known: new Uint8Array(slices.length * columns * rows),
  };
  for (const [n, { image, label, known }] of slices.entries()) {
    stacked.image.set(image, n * columns * rows);
    stacked.label.set(label, n * columns * rows);
    stacked.known.set(known, n * columns * rows);
  }
  const direction: Geometry['direction'] = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  const { spacingMm } = on;
  return { grid: { size: [columns, rows, slices.length], spacingMm, origin: [0, 0, 0], direction }, ...stacked };
}
