import { Random } from '../engine/random.ts';
import type { Plane, Vec3 } from '../volume/geometry.ts';
import type { SubjectOptions } from './subject.ts';
import { modalityOf } from './task.ts';

/**
 * Plane and spacing with which a subject is scanned before a student sees it resampled: in plane 2..3 mm, slices
 * 2..6 mm. Finer scans are smoothed to 2 mm before a network sees them, so 2 mm stands for them.
 */
export function drawAcquisition(options: SubjectOptions): { readonly plane: Plane; readonly spacingMm: Vec3 } {
  if (options.variation === 'sample') return { plane: 'axial', spacingMm: [2, 2, 2] };
  const random = Random.for(options.seed, 'acquisition');
  const u = random.next();
  // CT is axial, unless somebody stored another reformation.
  const [axial, coronal] = modalityOf(options.task) === 'CT' ? [0.85, 0.95] : [0.55, 0.8];
  const plane: Plane = u < axial ? 'axial' : u < coronal ? 'coronal' : 'sagittal';
  const inPlane = random.next() < 0.6 ? 2 : random.uniform(2, 3);
  const thickness = random.next() < 0.4 ? inPlane : random.uniform(2, 6);
  return { plane, spacingMm: [inPlane, inPlane, thickness] };
}
