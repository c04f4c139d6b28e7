import type { Geometry, Vec3 } from '../volume/geometry.ts';

/** A coded concept (PS3.3 8.8). */
export interface Code {
  readonly value: string;
  readonly scheme: string;
  readonly meaning: string;
}

/** What one class index of a labelmap stands for (PS3.3 C.8.20.4). */
export interface Segment {
  /** From 1, without gaps; equals the class index in the labelmap. */
  readonly number: number;
  readonly label: string;
  readonly category: Code;
  readonly type: Code;
  /** Of a paired structure: which side, or `both` in one segment. */
  readonly laterality?: 'left' | 'right' | 'both' | undefined;
  readonly anatomicRegion?: Code | undefined;
  /** sRGB 0..255. */
  readonly colour: Vec3;
}

/** One class index a voxel, 0 = background, `[slice, row, column]` uint8, on a grid. */
export interface Labelmap {
  readonly data: Uint8Array;
  readonly geometry: Geometry;
  readonly segments: readonly Segment[];
}
