import type { Vec3 } from '../volume/geometry.ts';
import { listRuns, type Runs } from './runs.ts';

/** The 26-connected components of one class, as runs of equal voxels along rows. */
export interface Components {
  /** Element number of the first voxel of each run. */
  readonly runStart: readonly number[];
  readonly runLength: readonly number[];
  /** Component of each run, from 0 in the order of the first voxel. */
  readonly runComponent: Int32Array;
  /** Voxels of each component. */
  readonly voxels: readonly number[];
}

/**
 * The 26-connected components of the voxels that equal `value`. `labels` is `[slice, row, column]` on a grid of
 * `[columns, rows, slices]`. Two passes with union-find over runs, so time and memory follow the runs, not the voxels.
 */
export function findComponents(labels: Uint8Array, size: Vec3, value: number): Components {
  return componentsOf(listRuns(labels, size[0]).get(value), size);
}

function componentsOf(of: Runs = { start: [], length: [] }, [columns, rows, slices]: Vec3): Components {
  const { start: runStart, length: runLength } = of;
  // Runs of row r are firstRun[r] .. firstRun[r + 1] - 1.
  const firstRun = new Int32Array(rows * slices + 1);
  let row = 0;
  for (let run = 0; run < runStart.length; run++) while (row * columns <= runStart[run]!) firstRun[row++] = run;
  firstRun.fill(runStart.length, row);
  const parent = new Int32Array(runStart.length);
  for (let run = 0; run < parent.length; run++) parent[run] = run;
  const runs = { runStart, runLength, parent, firstRun, columns };
  for (row = 0; row < rows * slices; row++) {
    if (firstRun[row] === firstRun[row + 1]) continue;
    const k = Math.floor(row / rows);
    const j = row - k * rows;
    if (j > 0) joinRows(runs, row, row - 1);
    for (let dj = -1; dj <= 1; dj++) if (k > 0 && j + dj >= 0 && j + dj < rows) joinRows(runs, row, row - rows + dj);
  }
  return { runStart, runLength, ...numberComponents(parent, runLength) };
}

/**
 * Sets to 0, in place, the voxels of `value` that are in too small a component: below `minVoxels`, or not the largest
 * (the first of equals) when `largestOnly`. A voxel counts as its slice's `shares`; as 1 without.
 *
 * @param runs of the labels, where they are known.
 */
export function removeComponents(
  labels: Uint8Array,
  size: Vec3,
  value: number,
  rule: { readonly largestOnly: boolean; readonly minVoxels: number; readonly shares?: Float64Array },
  runs = listRuns(labels, size[0]),
): void {
  const { runStart, runLength, runComponent, voxels } = componentsOf(runs.get(value), size);
  const extents = new Float64Array(voxels.length);
  for (let run = 0; run < runStart.length; run++) {
    const share = rule.shares?.[Math.floor(runStart[run]! / (size[0] * size[1]))] ?? 1;
    extents[runComponent[run]!]! += runLength[run]! * share;
  }
  const largest = extents.reduce((best, extent, n) => (extent > extents[best]! ? n : best), 0);
  for (let run = 0; run < runStart.length; run++) {
    const component = runComponent[run]!;
    const isKept = extents[component]! >= rule.minVoxels && (!rule.largestOnly || component === largest);
    if (!isKept) labels.fill(0, runStart[run]!, runStart[run]! + runLength[run]!);
  }
}

interface JoinedRuns {
  readonly runStart: readonly number[];
  readonly runLength: readonly number[];
  readonly parent: Int32Array;
  readonly firstRun: Int32Array;
  readonly columns: number;
}

/** Joins the runs of `row` with those of `other` that touch them, corners included. */
function joinRows(runs: JoinedRuns, row: number, other: number): void {
  const { runStart, runLength, parent, firstRun, columns } = runs;
  const shift = (row - other) * columns;
  let b = firstRun[other]!;
  for (let a = firstRun[row]!; a < firstRun[row + 1]!; a++) {
    const from = runStart[a]! - shift;
    const to = from + runLength[a]!;
    while (b < firstRun[other + 1]! && runStart[b]! + runLength[b]! < from) b++;
    for (let c = b; c < firstRun[other + 1]! && runStart[c]! <= to; c++) join(parent, a, c);
  }
}

function join(parent: Int32Array, a: number, b: number): void {
  const rootA = findRoot(parent, a);
  const rootB = findRoot(parent, b);
  // The earlier run is the root, so components are numbered by their first voxel.
  if (rootA < rootB) parent[rootB] = rootA;
  else parent[rootA] = rootB;
}

function findRoot(parent: Int32Array, run: number): number {
  let at = run;
  while (parent[at] !== at) {
    parent[at] = parent[parent[at]!]!;
    at = parent[at]!;
  }
  return at;
}

function numberComponents(
  parent: Int32Array,
  runLength: readonly number[],
): { runComponent: Int32Array; voxels: number[] } {
  const runComponent = new Int32Array(parent.length);
  const voxels: number[] = [];
  for (let run = 0; run < parent.length; run++) {
    const root = findRoot(parent, run);
    const component = root === run ? voxels.push(0) - 1 : runComponent[root]!;
    runComponent[run] = component;
    voxels[component]! += runLength[run]!;
  }
  return { runComponent, voxels };
}
