import { setImmediate as nextTurn } from 'node:timers/promises';
import { createFrameDecoder, type FrameDecoder } from './frame-decoder.ts';
import type { ImageObject } from './image-object.ts';
import { dropPixels, moveOnto } from './part10.ts';
import { decodeSlice, type StoredSlice } from './pixel-data.ts';
import { VoxelBlock } from './voxel-block.ts';

/** What bounds and stops a decoding. */
export interface DecodingOptions {
  /** How many objects will come; room is made for their images by the first. */
  readonly objects: number;
  /** Largest volume accepted, voxels. */
  readonly maxVoxels: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Decodes the images of a series while its objects arrive, and lets go of each object's pixels then: of a series that is
 * one volume only the voxels stay in memory. Where that cannot be foreseen the pixels wait as they are, until
 * {@link slices} names the images that are wanted: after a frame that does not decode, after a second image at the place
 * of another one, and when there is no room left.
 */
export class SliceDecoding {
  readonly #options: DecodingOptions;
  readonly #decoder: FrameDecoder;
  readonly #started = new Set<ImageObject>();
  readonly #decoded = new Map<ImageObject, StoredSlice>();
  readonly #failures = new Map<ImageObject, unknown>();
  readonly #running = new Set<Promise<void>>();
  readonly #places = new Set<string>();
  #block: VoxelBlock | undefined;
  #isWaiting = false;

  constructor(options: DecodingOptions) {
    this.#options = options;
    // A second thread takes longer to start than a few frames take to decode.
    this.#decoder = createFrameDecoder(options.objects > 1 && options.objects < 16 ? { lanes: 1 } : {});
  }

  /** The memory of the slices that had room in it. */
  get block(): VoxelBlock | undefined {
    return this.#block;
  }

  /**
   * Takes over the images of an object. When it returns, the bytes that the object was read from may change.
   *
   * @throws the signal's reason
   */
  async take(images: readonly ImageObject[]): Promise<void> {
    const dataSets = new Set(images.map(({ dataSet }) => dataSet));
    this.#isWaiting ||= !this.#canStart(images);
    if (this.#isWaiting) {
      for (const dataSet of dataSets) moveOnto(dataSet, new Uint8Array(dataSet.byteArray));
      return;
    }
    for (const image of images) await this.#start(image);
    for (const dataSet of dataSets) dropPixels(dataSet);
  }

  /**
   * The stored values of these images.
   *
   * @throws AppError those of {@link decodeSlice}, of the first image that has one; the signal's reason
   */
  async slices(images: readonly ImageObject[]): Promise<ReadonlyMap<ImageObject, StoredSlice>> {
    const failed = () => (this.#failures.size > 0 ? images.find((image) => this.#failures.has(image)) : undefined);
    for (const image of images) {
      if (failed()) break;
      if (!this.#started.has(image)) await this.#start(image);
    }
    await Promise.all(this.#running);
    const first = failed();
    if (first) throw this.#failures.get(first);
    return this.#decoded;
  }

  /** Ends the threads. */
  close(): Promise<void> {
    return this.#decoder.close();
  }

  #canStart(images: readonly ImageObject[]): boolean {
    if (this.#failures.size > 0) return false;
    const [first] = images;
    if (first === undefined) return false;
    const perSlice = first.format.rows * first.format.columns;
    const { objects, maxVoxels } = this.#options;
    this.#block ??= new VoxelBlock(Math.min(objects * images.length, Math.floor(maxVoxels / perSlice)), perSlice);
    if (this.#block.perSlice !== perSlice || this.#block.left < images.length) return false;
    const before = this.#places.size;
    for (const { position } of images) this.#places.add(position.join());
    return this.#places.size === before + images.length;
  }

  /** Starts an image as soon as a thread is idle, so that no more frames are in memory than are decoded. */
  async #start(image: ImageObject): Promise<void> {
    await this.#decoder.ready();
    // Native frames are unpacked on this thread; other requests get a turn between two of them.
    await nextTurn();
    this.#options.signal?.throwIfAborted();
    this.#started.add(image);
    const room = this.#block !== undefined && this.#block.left > 0 ? this.#block.take() : undefined;
    const work = decodeSlice(image, this.#decoder, room).then(
      (slice) => void this.#decoded.set(image, slice),
      (error) => void this.#failures.set(image, error),
    );
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }
}
