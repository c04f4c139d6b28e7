import { AppError } from '../errors/app-error.ts';
import { backOff } from './connection.ts';
import { frameCount } from './frame-groups.ts';
import type { Pacs, SeriesAddress } from './pacs.ts';
import { type DataSet, parsePart10 } from './part10.ts';

/** How far a retrieval is. */
export interface RetrieveProgress {
  /** Complete instances and how many the PACS lists. */
  readonly instances: number;
  readonly expected: number;
  /** Bytes received, repeated ones included. */
  readonly bytes: number;
}

export interface RetrieveOptions {
  readonly onProgress?: ((progress: RetrieveProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly maxVoxels: number;
}

/**
 * All DICOM files of a series: one streamed answer, and after a reset, a silence or a short answer only the instances
 * that are still missing, one by one. Gives up after `pacs.retries` failures in a row without a new instance.
 *
 * @throws AppError `series-not-found`, `image-too-large`, `pacs-unreachable`, `pacs-refused`, `pacs-answer-invalid`
 *   (also for an object of another series), `instance-unreadable`
 */
export async function retrieveSeries(
  pacs: Pacs,
  address: SeriesAddress,
  options: RetrieveOptions,
): Promise<readonly Uint8Array[]> {
  const listed = await pacs.searchInstances(address, options.signal);
  if (listed.length === 0) throw new AppError('series-not-found', 'The PACS holds no such series.', { ...address });
  const wanted = listed.map(({ sopInstanceUid }) => sopInstanceUid);
  const collection = new Collection(pacs, address, wanted.length, options);
  let failures = 0;
  for (;;) {
    const before = collection.size;
    try {
      // Until the first instance is here the whole series is asked, later only what is missing.
      if (before === 0) await collection.collect({});
      const missing = wanted.filter((uid) => !collection.has(uid));
      for (const sopInstanceUid of missing) await collection.collect({ sopInstanceUid });
      return collection.files();
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'pacs-unreachable') throw error;
      failures = collection.size > before ? 1 : failures + 1;
      if (failures > pacs.retries) throw error;
      await backOff(failures, options.signal);
    }
  }
}

/** The instances that have arrived, by SOPInstanceUID. */
class Collection {
  readonly #pacs: Pacs;
  readonly #address: SeriesAddress;
  readonly #expected: number;
  readonly #options: RetrieveOptions;
  readonly #files = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(pacs: Pacs, address: SeriesAddress, expected: number, options: RetrieveOptions) {
    this.#pacs = pacs;
    this.#address = address;
    this.#expected = expected;
    this.#options = options;
  }

  get size(): number {
    return this.#files.size;
  }

  has(sopInstanceUid: string): boolean {
    return this.#files.has(sopInstanceUid);
  }

  files(): readonly Uint8Array[] {
    return [...this.#files.values()];
  }

  /** Retrieves the series, or one instance, which then must be among what arrives. */
  async collect(part: { readonly sopInstanceUid?: string }): Promise<void> {
    const onBytes = (count: number): void => {
      this.#bytes += count;
      this.#report();
    };
    const { signal } = this.#options;
    for await (const file of this.#pacs.retrieve({ ...this.#address, ...part }, { signal, onBytes })) this.#add(file);
    if (part.sopInstanceUid !== undefined && !this.has(part.sopInstanceUid)) {
      throw new AppError('pacs-answer-invalid', 'The PACS lists an instance and answers with another one.', {
        sopInstanceUid: part.sopInstanceUid,
      });
    }
    this.#report();
  }

  #report(): void {
    this.#options.onProgress?.({ instances: this.size, expected: this.#expected, bytes: this.#bytes });
  }

  #add(file: Uint8Array): void {
    const dataSet = parsePart10(file, `Object ${this.size + 1}`, true);
    const isOfSeries =
      dataSet.string('x0020000d') === this.#address.studyInstanceUid &&
      dataSet.string('x0020000e') === this.#address.seriesInstanceUid;
    if (!isOfSeries) {
      throw new AppError('pacs-answer-invalid', 'The PACS answered with an object of another series.', {});
    }
    if (this.size === 0) this.#checkSize(dataSet);
    this.#files.set(dataSet.string('x00080018') ?? '', file);
    this.#report();
  }

  /** Stops a series that is too large at its first instance. */
  #checkSize(dataSet: DataSet): void {
    const pixels = (dataSet.uint16('x00280010') ?? 0) * (dataSet.uint16('x00280011') ?? 0);
    const voxels = pixels * frameCount(dataSet) * this.#expected;
    if (voxels <= this.#options.maxVoxels) return;
    throw new AppError('image-too-large', `The series has ${voxels} voxels; the limit is ${this.#options.maxVoxels}.`, {
      voxels,
      maxVoxels: this.#options.maxVoxels,
    });
  }
}
