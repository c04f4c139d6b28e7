/**
 * Limits of what belongs to one volume. Wide enough for the rounding seen in the field (positions in tenths of a
 * millimetre, cosines in 4 decimals), far below what changes a mask by a voxel.
 */
export const tolerance = {
  /** Largest difference of a direction cosine between two slices; 0.03 degree. */
  cosine: 5e-4,
  /** Departure of row and column directions from unit length and from a right angle. */
  orthonormal: 1e-3,
  /** Difference of in-plane spacing between two slices, mm. */
  pixelSpacingMm: 3e-3,
  /** Two slices closer than this along the normal lie at one position, mm. */
  samePositionMm: 0.01,
  /** Departure of one gap of an even stack from the median gap, mm; also at most a quarter of the gap. */
  gapMm: 0.12,
  /** Departure of a slice of an even stack from the regular grid along the normal, mm; also at most a quarter of the gap. */
  gridMm: 0.25,
  /** Largest gap of an uneven stack, as a share of what its slices account for. */
  gapShare: 1.5,
  /** Largest gap of an uneven stack, as a share of its smallest. */
  gapRatio: 5,
  /** Departure of a slice from the line through first and last, within its plane, mm. */
  lateralMm: 0.15,
  /** Angle between the line through first and last slice and the normal, degrees. */
  tiltDegrees: 0.1,
} as const;
