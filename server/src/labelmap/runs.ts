/**
 * Goes through the runs of equal labels other than 0 in rows, in the order of the voxels: after each `next`,
 * `labels[start]` to `labels[end - 1]` are `label`. Labels are looked at a word at a time: a mask is mostly background, and
 * its segments are long runs.
 *
 * A class with loops around it, and no function that is called for each run: V8 forgets what it has compiled of a
 * function once nobody holds it, and would go through every mask slowly at first.
 */
export class RunReader {
  label = 0;
  start = 0;
  end = 0;
  readonly #labels: Uint8Array | Uint16Array;
  readonly #columns: number;
  readonly #words: Int32Array;
  /** Labels of a word. */
  readonly #voxels: number;
  /** The first label that begins a word: those that come behind a head may begin anywhere. */
  readonly #first: number;

  /** @param labels rows of `columns` voxels, one after the other. */
  constructor(labels: Uint8Array | Uint16Array, columns: number) {
    const bytes = labels.BYTES_PER_ELEMENT;
    this.#labels = labels;
    this.#columns = columns;
    this.#voxels = 4 / bytes;
    this.#first = Math.min(labels.length, (-labels.byteOffset & 3) / bytes);
    const count = Math.floor((labels.length - this.#first) / this.#voxels);
    const from = labels.byteOffset + this.#first * bytes;
    this.#words = count > 0 ? new Int32Array(labels.buffer, from, count) : new Int32Array(0);
  }

  /** Turns to the next run; false when there is none. */
  next(): boolean {
    const start = this.#findLabel(this.end);
    if (start >= this.#labels.length) return false;
    this.label = this.#labels[start]!;
    this.start = start;
    this.end = this.#findEnd(start, (Math.floor(start / this.#columns) + 1) * this.#columns);
    return true;
  }

  /** The first voxel from `from` on that is not 0; when there is none, one beyond them all. */
  #findLabel(from: number): number {
    const labels = this.#labels;
    const words = this.#words;
    let n = from;
    let word = this.#wordFrom(n);
    for (const end = Math.min(labels.length, this.#first + word * this.#voxels); n < end; n++)
      if (labels[n] !== 0) return n;
    while (word < words.length && words[word] === 0) word++;
    n = Math.max(n, this.#first + word * this.#voxels);
    while (n < labels.length && labels[n] === 0) n++;
    return n;
  }

  /** The first voxel behind `start` that is another, or `limit`. */
  #findEnd(start: number, limit: number): number {
    const labels = this.#labels;
    const words = this.#words;
    const label = labels[start]!;
    let n = start + 1;
    let word = this.#wordFrom(n);
    for (const end = Math.min(limit, this.#first + word * this.#voxels); n < end; n++)
      if (labels[n] !== label) return n;
    if (n === limit) return n;
    const all = this.#voxels === 4 ? label * 0x01010101 : label * 0x00010001;
    const last = Math.floor((limit - this.#first) / this.#voxels);
    while (word < last && words[word] === (all | 0)) word++;
    n = Math.max(n, this.#first + word * this.#voxels);
    while (n < limit && labels[n] === label) n++;
    return n;
  }

  /** The first word that begins at voxel `n` or behind it. */
  #wordFrom(n: number): number {
    return Math.max(0, Math.ceil((n - this.#first) / this.#voxels));
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
  let own: Runs = { start: [], length: [] };
  let label = 0;
  for (const runs = new RunReader(labels, columns); runs.next(); ) {
    if (runs.label !== label) {
      label = runs.label;
      own = found.get(label) ?? { start: [], length: [] };
      found.set(label, own);
    }
    own.start.push(runs.start);
    own.length.push(runs.end - runs.start);
  }
  return found;
}
