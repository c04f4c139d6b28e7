import { type Axes, alignedAxes, positions } from './aligned.ts';
import { AlignedRuns, placesAlong } from './aligned-carry.ts';
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
  /** Writes what values `[field][n]` stand for to `out[n]`, from `from` on and before `end`. */
  readonly decide: (values: readonly Float32Array[], out: Uint8Array, from: number, end: number) => void;
}

/**
 * Bytes of a slice on another grid, `[row, column]`, decided from values between those of `source` (trilinear); 0 outside
 * `box`; of use until the next call. Where the axes of both grids run along each other, values are mixed only between
 * voxels that do not agree: of a mask that is its rim.
 */
export function openDecided(
  { fields, codes, decide }: Decided,
  source: Geometry,
  target: Geometry,
  box: Box,
): (slice: number) => Uint8Array {
  const pixels = target.size[0] * target.size[1];
  const out = new Uint8Array(pixels);
  const map = indexMap(target, source);
  const axes = alignedAxes(map, target);
  if (axes === undefined) {
    const valuesOf = sliceMapper(fields, source, target, box);
    return (slice) => {
      decide(valuesOf(slice), out, 0, pixels);
      return out;
    };
  }
  const values = fields.map(() => new Float32Array(pixels));
  const aligned = new AlignedRuns(source.size, target, map, axes);
  const cells = new CellReader(cellsOf(codes, source.size, box), source.size, target, map, axes, box, out);
  return (slice) => {
    cells.open(slice);
    for (const [n, field] of fields.entries()) mixDoubtful(aligned, field, slice, cells, values[n]!);
    decideDoubtful(decide, values, cells, target.size[0], out);
    return out;
  };
}

function mixDoubtful(
  aligned: AlignedRuns,
  field: Float32Array,
  slice: number,
  { bounds, count }: Runs,
  out: Float32Array,
): void {
  for (let at = 0; at < count; at += 3) aligned.mix(field, slice, bounds[at]!, bounds[at + 1]!, bounds[at + 2]!, out);
}

function decideDoubtful(
  decide: Decided['decide'],
  values: readonly Float32Array[],
  { bounds, count }: Runs,
  width: number,
  out: Uint8Array,
): void {
  for (let at = 0; at < count; at += 3) {
    const start = bounds[at]! * width;
    decide(values, out, start + bounds[at + 1]!, start + bounds[at + 2]!);
  }
}

/** All slices of {@link openDecided}, `[slice, row, column]`. */
export function carryDecided(decided: Decided, source: Geometry, target: Geometry, box: Box): Uint8Array {
  const out = new Uint8Array(voxelCount(target));
  const pixels = target.size[0] * target.size[1];
  const bytesOf = openDecided(decided, source, target, box);
  for (let k = 0; k < target.size[2]; k++) out.set(bytesOf(k), k * pixels);
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
 * Fills a slice of an aligned target with what cells tell of it, and names the rest: the {@link Runs} that have to be
 * decided. Slices of one cell are alike, and so are rows. A class for the reason of {@link AlignedRuns}.
 */
class CellReader implements Runs {
  readonly bounds: Int32Array;
  count = 0;
  /** Of the slice that is filled in; -1 outside the box. */
  #cell = -1;
  readonly #cells: Uint8Array;
  readonly #out: Uint8Array;
  readonly #width: number;
  /** Where cells begin: elements along the columns, rows and slices of the target. */
  readonly #starts: readonly [Int32Array, Int32Array, Int32Array];
  readonly #inside: readonly [Span, Span, Span];

  constructor(cells: Uint8Array, size: Vec3, target: Geometry, map: IndexMap, axes: Axes, box: Box, out: Uint8Array) {
    const strides = [1, size[0], size[0] * size[1]] as const;
    const [columns, rows, slices] = placesAlong(size, target, map, axes);
    const insideOf = (a: 0 | 1 | 2): Span => {
      const [low, high] = facesOf(box, axes[a]);
      return spanOf(positions(target, map, a, axes[a]), low, high);
    };
    this.#cells = cells;
    this.#out = out;
    this.#width = target.size[0];
    this.#starts = [
      columns.before.map((n) => n * strides[axes[0]]),
      rows.before.map((n) => n * strides[axes[1]]),
      slices.before.map((n) => n * strides[axes[2]]),
    ];
    this.#inside = [insideOf(0), insideOf(1), insideOf(2)];
    this.bounds = new Int32Array(3 * out.length);
  }

  open(slice: number): void {
    const [, inRows, inSlices] = this.#inside;
    const [, rows, slices] = this.#starts;
    const isIn = slice >= inSlices.first && slice < inSlices.end;
    const cell = isIn ? slices[slice]! : -1;
    if (cell === this.#cell) return;
    this.#cell = cell;
    this.count = 0;
    this.#out.fill(0);
    if (!isIn) return;
    let before = 0;
    for (let row = inRows.first; row < inRows.end; row++) {
      const from = before;
      before = this.count;
      if (row > inRows.first && rows[row] === rows[row - 1]) this.#repeatRow(row, from);
      else this.#readRow(row, rows[row]! + cell);
    }
  }

  #readRow(row: number, cell: number): void {
    const cells = this.#cells;
    const columns = this.#starts[0];
    const { first: begin, end: last } = this.#inside[0];
    const start = row * this.#width;
    for (let first = begin; first < last; ) {
      const code = cells[cell + columns[first]!]!;
      let end = first + 1;
      while (end < last && cells[cell + columns[end]!] === code) end++;
      if (code === undecided) this.#add(row, first, end);
      else if (code > 0) this.#out.fill(code, start + first, start + end);
      first = end;
    }
  }

  /** As the row before, whose runs begin at `from`. */
  #repeatRow(row: number, from: number): void {
    const start = row * this.#width;
    this.#out.copyWithin(start, start - this.#width, start);
    for (let at = from, end = this.count; at < end; at += 3) this.#add(row, this.bounds[at + 1]!, this.bounds[at + 2]!);
  }

  #add(row: number, first: number, end: number): void {
    this.bounds[this.count] = row;
    this.bounds[this.count + 1] = first;
    this.bounds[this.count + 2] = end;
    this.count += 3;
  }
}

/** Of positions that rise or fall, those from `low` to `high`. */
function spanOf(at: Float64Array, low: number, high: number): Span {
  const isIn = (position: number): boolean => position >= low && position <= high;
  const first = at.findIndex(isIn);
  return first < 0 ? { first: 0, end: 0 } : { first, end: at.findLastIndex(isIn) + 1 };
}
