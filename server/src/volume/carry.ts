import { type Axes, alignedAxes, positions } from './aligned.ts';
import { alignedRuns, placesAlong } from './aligned-carry.ts';
import { type Geometry, type IndexMap, indexMap, type Vec3, voxelCount } from './geometry.ts';
import { type Box, facesOf, type Span } from './interpolate.ts';
import { sliceMapper } from './resample.ts';

/** Stands for a voxel whose byte its values have to tell. */
export const undecided = 255;

/** What is carried to another grid: values, and the byte that they stand for. */
export interface Decided {
  /** Each `[slice, row, column]` float32 on an even grid. */
  readonly fields: readonly Float32Array[];
  /**
   * What a voxel shows: between voxels that all show the same, everything does. {@link undecided} where that does not
   * hold. The array is used up.
   */
  readonly codes: Uint8Array;
  /** Writes what values `[field][n]` stand for to `out[offset + n]`, from `from` on and before `end`. */
  readonly decide: (
    values: readonly Float32Array[],
    out: Uint8Array,
    offset: number,
    from: number,
    end: number,
  ) => void;
}

/**
 * Bytes on another grid, `[slice, row, column]`, decided from values between those of `source` (trilinear); 0 outside
 * `box`. Where the axes of both grids run along each other, values are mixed only between voxels that do not agree: of
 * a mask that is its rim.
 */
export function carryDecided(
  { fields, codes, decide }: Decided,
  source: Geometry,
  target: Geometry,
  box: Box,
): Uint8Array {
  const out = new Uint8Array(voxelCount(target));
  const pixels = target.size[0] * target.size[1];
  const map = indexMap(target, source);
  const axes = alignedAxes(map, target);
  if (axes === undefined) {
    const valuesOf = sliceMapper(fields, source, target, box);
    for (let k = 0; k < target.size[2]; k++) decide(valuesOf(k), out, k * pixels, 0, pixels);
    return out;
  }
  const values = fields.map(() => new Float32Array(pixels));
  const interpolate = alignedRuns(source.size, target, map, axes);
  const runsOf = doubtfulRuns(cellsOf(codes, source.size, box), source.size, target, map, axes, box, out);
  for (let k = 0; k < target.size[2]; k++) {
    const { bounds, count } = runsOf(k);
    if (count === 0) continue;
    for (const [n, field] of fields.entries())
      for (let at = 0; at < count; at += 3)
        interpolate(field, k, bounds[at]!, bounds[at + 1]!, bounds[at + 2]!, values[n]!);
    for (let at = 0; at < count; at += 3) {
      const start = bounds[at]! * target.size[0];
      decide(values, out, k * pixels, start + bounds[at + 1]!, start + bounds[at + 2]!);
    }
  }
  return out;
}

/**
 * In place, within the box: of each voxel what all eight between which the next values lie (itself, and those behind it
 * along each axis) show.
 */
function cellsOf(codes: Uint8Array, size: Vec3, { low, high }: Box): Uint8Array {
  const strides = [1, size[0], size[0] * size[1]] as const;
  for (const axis of [0, 1, 2] as const) {
    const stride = strides[axis];
    const last = (of: 0 | 1 | 2): number => Math.min(high[of], size[of] - (of === axis ? 2 : 1));
    for (let k = low[2]; k <= last(2); k++)
      for (let j = low[1]; j <= last(1); j++) {
        const row = j * strides[1] + k * strides[2];
        const end = row + last(0) + 1;
        for (let n = row + low[0]; n < end; n++) if (codes[n] !== codes[n + stride]) codes[n] = undecided;
      }
  }
  return codes;
}

/** Row, first column and end of runs of columns, one after the other: the first `count` numbers. */
interface Runs {
  readonly bounds: Int32Array;
  readonly count: number;
}

/**
 * Fills in what cells tell of the slices of an aligned target, asked for in their order, and gives the rest; of use until
 * the next call. Slices of one cell are alike, and so are rows.
 */
function doubtfulRuns(
  cells: Uint8Array,
  size: Vec3,
  target: Geometry,
  map: IndexMap,
  axes: Axes,
  box: Box,
  out: Uint8Array,
): (slice: number) => Runs {
  const strides = [1, size[0], size[0] * size[1]] as const;
  const [columns, rows, slices] = placesAlong(size, target, map, axes).map(({ before }, a) =>
    before.map((n) => n * strides[axes[a]!]),
  ) as [Int32Array, Int32Array, Int32Array];
  const [inColumns, inRows, inSlices] = ([0, 1, 2] as const).map((a) => {
    const [low, high] = facesOf(box, axes[a]);
    return spanOf(positions(target, map, a, axes[a]), low, high);
  }) as [Span, Span, Span];
  const [width, height] = target.size;
  const pixels = width * height;
  const bounds = new Int32Array(3 * pixels);
  let count = 0;
  let open = -1;

  const readRow = (row: number, cell: number, start: number): void => {
    for (let first = inColumns.first; first < inColumns.end; ) {
      const code = cells[cell + columns[first]!]!;
      let end = first + 1;
      while (end < inColumns.end && cells[cell + columns[end]!] === code) end++;
      if (code === undecided) {
        bounds[count++] = row;
        bounds[count++] = first;
        bounds[count++] = end;
      } else if (code > 0) out.fill(code, start + first, start + end);
      first = end;
    }
  };
  const repeatRow = (row: number, from: number, start: number): void => {
    out.copyWithin(start, start - width, start);
    for (const end = count; from < end; from += 3) {
      bounds[count++] = row;
      bounds[count++] = bounds[from + 1]!;
      bounds[count++] = bounds[from + 2]!;
    }
  };
  return (slice) => {
    if (slice < inSlices.first || slice >= inSlices.end) return { bounds, count: 0 };
    const start = slice * pixels;
    if (slice > inSlices.first && slices[slice] === open) {
      out.copyWithin(start, start - pixels, start);
      return { bounds, count };
    }
    open = slices[slice]!;
    count = 0;
    for (let row = inRows.first, before = 0; row < inRows.end; row++) {
      const from = before;
      before = count;
      if (row > inRows.first && rows[row] === rows[row - 1]) repeatRow(row, from, start + row * width);
      else readRow(row, rows[row]! + open, start + row * width);
    }
    return { bounds, count };
  };
}

/** Of positions that rise or fall, those from `low` to `high`. */
function spanOf(at: Float64Array, low: number, high: number): Span {
  const isIn = (position: number): boolean => position >= low && position <= high;
  const first = at.findIndex(isIn);
  return first < 0 ? { first: 0, end: 0 } : { first, end: at.findLastIndex(isIn) + 1 };
}
