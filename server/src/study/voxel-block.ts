/**
 * Memory for the stored values of all slices of a volume, in which they become its voxels: the slices are decoded into it
 * as they come and put in order at the end, so that the volume is in memory once.
 */
export class VoxelBlock {
  readonly perSlice: number;
  readonly #buffer: ArrayBuffer;
  readonly #slices: number;
  #used = 0;

  /** @param perSlice voxels; two bytes each. Memory that is never written to takes none. */
  constructor(slices: number, perSlice: number) {
    this.perSlice = perSlice;
    this.#slices = slices;
    this.#buffer = new ArrayBuffer(2 * perSlice * slices);
  }

  /** Slices that there is still room for. */
  get left(): number {
    return this.#slices - this.#used;
  }

  /** Room for the next slice. @throws RangeError when none is left */
  take(): Uint8Array<ArrayBuffer> {
    if (this.left === 0) throw new RangeError(`the block holds ${this.#slices} slices`);
    const sizeBytes = 2 * this.perSlice;
    return new Uint8Array(this.#buffer, sizeBytes * this.#used++, sizeBytes);
  }

  /** Whether these are all the slices of the block, each once. */
  isMadeOf(slices: readonly { readonly buffer: ArrayBufferLike }[]): boolean {
    return slices.length === this.#slices && slices.every(({ buffer }) => buffer === this.#buffer);
  }

  /**
   * Puts the slices in this order. Arrays that lie in the block show other slices afterwards.
   *
   * @returns the memory, from the first to the last slice.
   */
  arrange(slices: readonly { readonly byteOffset: number }[]): ArrayBuffer {
    const sizeBytes = 2 * this.perSlice;
    const bytes = new Uint8Array(this.#buffer);
    const places = slices.map(({ byteOffset }) => byteOffset / sizeBytes);
    const kept = new Uint8Array(sizeBytes);
    const isPlaced = new Uint8Array(places.length);
    for (let start = 0; start < places.length; start++) {
      if (isPlaced[start] === 1 || places[start] === start) continue;
      // A ring of places, each of which takes what the next one holds.
      kept.set(bytes.subarray(start * sizeBytes, (start + 1) * sizeBytes));
      let at = start;
      for (let from = places[at]!; from !== start; from = places[at]!) {
        bytes.copyWithin(at * sizeBytes, from * sizeBytes, (from + 1) * sizeBytes);
        isPlaced[at] = 1;
        at = from;
      }
      bytes.set(kept, at * sizeBytes);
      isPlaced[at] = 1;
    }
    return this.#buffer;
  }
}
