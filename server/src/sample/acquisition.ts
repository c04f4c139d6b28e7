import { Random } from '../engine/random.ts';
import type { Plane, Vec3 } from '../volume/geometry.ts';
import type { SubjectOptions } from './subject.ts';

/**
 * Plane and spacing with which a subject is scanned before a student sees it resampled: in plane 2..3 mm, slices
 * 2..6 mm. Finer scans are smoothed to 2 mm before a network sees them, so 2 mm stands for them.
 */
export function drawAcquisition(options: SubjectOptions): { readonly plane: Plane; readonly spacingMm: Vec3 } {
  if (options.variation === 'sample') return { plane: 'axial', spacingMm: [2, 2, 2] };
  const random = Random.for(options.seed, 'acquisition');
  const u = random.next();
  const plane: Plane = u < 0.55 ? 'axial' : u < 0.8 ? 'coronal' : 'sagittal';
  const inPlane = random.next() < 0.6 ? 2 : random.uniform(2, 3);
  const thickness = random.next() < 0.4 ? inPlane : random.uniform(2, 6);
  return { plane, spacingMm: [inPlane, inPlane, thickness] };
}
