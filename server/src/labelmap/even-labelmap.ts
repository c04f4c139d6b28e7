import { evenGrid } from '../volume/geometry.ts';
import { resampleLabels } from '../volume/nearest.ts';
import type { Labelmap } from './labelmap.ts';

/**
 * For file formats that know even grids only: a slice at every step, each of which shows the nearest slice of the labelmap.
 * One on an even grid comes back as it is.
 */
export function evenLabelmap(labelmap: Labelmap): Labelmap {
  const geometry = evenGrid(labelmap.geometry);
  if (geometry === labelmap.geometry) return labelmap;
  return { ...labelmap, geometry, data: resampleLabels(labelmap.data, labelmap.geometry, geometry) };
}
