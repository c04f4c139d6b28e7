/** One slice of a labelmap, `[row, column]` uint8 segment numbers, with the id of its source image. */
export interface MaskSlice {
  readonly sliceId: string;
  readonly voxels: Uint8Array;
}

/** What a reader changed against another labelmap of the same slices. */
export interface Difference {
  readonly changedVoxels: number;
  /** Millilitres that are segment now and were not (or another segment). */
  readonly addedMl: number;
  /** Millilitres that were segment and are not now (or another segment). */
  readonly removedMl: number;
  /** 2 * equal foreground / (both foregrounds); 1 when both are empty. */
  readonly dice: number;
  /** Ids of the slices with at least one changed voxel, in the order given. */
  readonly editedSlices: readonly string[];
  /** Millilitres of each segment number that is there now. */
  readonly mlBySegment: ReadonlyMap<number, number>;
}

/**
 * Compares two labelmaps slice by slice.
 *
 * @param before The model's own mask.
 * @param after The mask as it stands, same slices in the same order.
 * @param voxelMl Volume of one voxel of each slice, millilitres.
 * @throws RangeError when the slices do not pair up.
 */
export function compareMasks(
  before: readonly MaskSlice[],
  after: readonly MaskSlice[],
  voxelMl: readonly number[],
): Difference {
  if (before.length !== after.length) throw new RangeError(`${after.length} slices against ${before.length}`);
  const tally = { changed: 0, addedMl: 0, removedMl: 0, equal: 0, foreground: 0 };
  const mlBySegment = new Map<number, number>();
  const editedSlices: string[] = [];
  before.forEach((slice, index) => {
    const other = after[index];
    if (other?.sliceId !== slice.sliceId || other.voxels.length !== slice.voxels.length) {
      throw new RangeError(`slice ${index} of the masks differ in source image or size`);
    }
    const changedBefore = tally.changed;
    compareSlice(slice.voxels, other.voxels, voxelMl[index] ?? 0, tally, mlBySegment);
    if (tally.changed > changedBefore) editedSlices.push(slice.sliceId);
  });
  return {
    changedVoxels: tally.changed,
    addedMl: tally.addedMl,
    removedMl: tally.removedMl,
    dice: tally.foreground === 0 ? 1 : (2 * tally.equal) / tally.foreground,
    editedSlices,
    mlBySegment,
  };
}

/** True when the two masks hold the same voxels. */
export function isSameMask(a: readonly MaskSlice[], b: readonly MaskSlice[]): boolean {
  return a.length === b.length && a.every((slice, index) => isSameSlice(slice.voxels, b[index]?.voxels));
}

/** A copy that later edits cannot change. */
export function copyMask(mask: readonly MaskSlice[]): readonly MaskSlice[] {
  return mask.map(({ sliceId, voxels }) => ({ sliceId, voxels: voxels.slice() }));
}

interface Tally {
  changed: number;
  addedMl: number;
  removedMl: number;
  equal: number;
  foreground: number;
}

function compareSlice(
  before: Uint8Array,
  after: Uint8Array,
  voxelMl: number,
  tally: Tally,
  mlBySegment: Map<number, number>,
): void {
  let added = 0;
  let removed = 0;
  const counts = new Uint32Array(256);
  for (let i = 0; i < before.length; i++) {
    const old = before[i] as number;
    const now = after[i] as number;
    if (old === 0 && now === 0) continue;
    counts[now] = (counts[now] as number) + 1;
    tally.foreground += (old > 0 ? 1 : 0) + (now > 0 ? 1 : 0);
    if (old === now) {
      tally.equal++;
      continue;
    }
    tally.changed++;
    if (now > 0) added++;
    if (old > 0) removed++;
  }
  tally.addedMl += added * voxelMl;
  tally.removedMl += removed * voxelMl;
  for (let segment = 1; segment < counts.length; segment++) {
    const count = counts[segment] as number;
    if (count > 0) mlBySegment.set(segment, (mlBySegment.get(segment) ?? 0) + count * voxelMl);
  }
}

function isSameSlice(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
