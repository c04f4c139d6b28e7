/**
 * Calls `visit` for each run of equal labels other than 0 in a row, in the order of the voxels: `labels[start]` to
 * `labels[end - 1]` are `label`. A mask is mostly background, which is passed over a word at a time.
 *
 * @param labels rows of `columns` voxels, one after the other.
 */
export function forEachRun(
  labels: Uint8Array | Uint16Array,
  columns: number,
  visit: (label: number, start: number, end: number) => void,
): void {
  const next = labelFinder(labels);
  for (let start = next(0); start < labels.length; ) {
    const label = labels[start]!;
    const rowEnd = (Math.floor(start / columns) + 1) * columns;
    let end = start + 1;
    while (end < rowEnd && labels[end] === label) end++;
    visit(label, start, end);
    start = labels[end] === 0 ? next(end) : end;
  }
}

/** Runs of one label: the element number of the first voxel of each, and how many there are of them. */
export interface Runs {
  readonly start: number[];
  readonly length: number[];
}

/** The runs of each label that occurs, in the order of the voxels. */
export function listRuns(labels: Uint8Array, columns: number): ReadonlyMap<number, Runs> {
  const found = new Map<number, Runs>();
  forEachRun(labels, columns, (label, start, end) => {
    const own = found.get(label) ?? { start: [], length: [] };
    found.set(label, own);
    own.start.push(start);
    own.length.push(end - start);
  });
  return found;
}

/** Finds the first label from a voxel on that is not 0; the length of the array when there is none. */
function labelFinder(labels: Uint8Array | Uint16Array): (from: number) => number {
  const voxels = 4 / labels.BYTES_PER_ELEMENT;
  // Labels that come behind a head may begin anywhere in a word.
  const first = (-labels.byteOffset & 3) / labels.BYTES_PER_ELEMENT;
  const count = Math.max(0, Math.floor((labels.length - first) / voxels));
  const words =
    count > 0 ? new Int32Array(labels.buffer, labels.byteOffset + first * labels.BYTES_PER_ELEMENT, count) : [];
  return (from) => {
    let n = from;
    let word = Math.max(0, Math.ceil((n - first) / voxels));
    for (const end = Math.min(labels.length, first + word * voxels); n < end; n++) if (labels[n] !== 0) return n;
    while (word < count && words[word] === 0) word++;
    n = Math.max(n, first + word * voxels);
    while (n < labels.length && labels[n] === 0) n++;
    return n;
  };
}
