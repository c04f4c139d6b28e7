import { AppError } from '../errors/app-error.ts';
import { backOff } from './connection.ts';
import { frameCount } from './frame-groups.ts';
import type { Pacs, SeriesAddress } from './pacs.ts';
import { type DataSet, parsePart10 } from './part10.ts';

/** How far a retrieval is. */
export interface RetrieveProgress {
  /** Complete instances and how many the PACS counts or lists. */
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

/** A series to retrieve. */
export interface ExpectedSeries {
  readonly address: SeriesAddress;
  /** How many instances the PACS counts, or lists. */
  readonly instances: number;
  /** Those that the PACS lists; undefined while it has not been asked to. */
  readonly sopInstanceUids: readonly string[] | undefined;
}

/**
 * What a PACS tells of a series before it is retrieved: NumberOfSeriesRelatedInstances (PS3.18 Table 10.6.3-4). A list of
 * the instances, which takes a PACS as long as the transfer itself, is only asked of one that does not count them.
 *
 * @throws AppError `series-not-found`, `pacs-unreachable`, `pacs-refused`, `pacs-answer-invalid`
 */
export async function expectSeries(pacs: Pacs, address: SeriesAddress, signal?: AbortSignal): Promise<ExpectedSeries> {
  const [series] = await pacs.searchSeries({ ...address, atMost: 1 }, signal);
  const instances = series?.instances ?? 0;
  if (instances > 0) return { address, instances, sopInstanceUids: undefined };
  const sopInstanceUids = await listInstances(pacs, address, signal);
  return { address, instances: sopInstanceUids.length, sopInstanceUids };
}

async function listInstances(pacs: Pacs, address: SeriesAddress, signal?: AbortSignal): Promise<readonly string[]> {
  const listed = await pacs.searchInstances(address, signal);
  if (listed.length === 0) throw new AppError('series-not-found', 'The PACS holds no such series.', { ...address });
  return listed.map(({ sopInstanceUid }) => sopInstanceUid);
}

/**
 * The DICOM files of a series as they arrive, each object once: one streamed answer, and after a reset, a silence or an
 * answer of another number of instances than expected only those that are listed and still missing, one by one; all of
 * them where the PACS gives no whole series (some limit what one answer may hold). Gives up after `pacs.retries` failures
 * in a row without a new instance. The bytes of a file change when the next one is asked for.
 *
 * @throws AppError `series-not-found`, `image-too-large`, `pacs-unreachable`, `pacs-refused`, `pacs-answer-invalid`
 *   (also for an object of another series), `instance-unreadable`
 */
export async function* retrieveSeries(
  pacs: Pacs,
  expected: ExpectedSeries,
  options: RetrieveOptions,
): AsyncGenerator<Uint8Array> {
  const retrieval = new Retrieval(pacs, expected, options);
  let failures = 0;
  let asksWhole = true;
  for (;;) {
    const parts = asksWhole ? [{}] : (await retrieval.missing()).map((sopInstanceUid) => ({ sopInstanceUid }));
    const before = retrieval.size;
    try {
      for (const part of parts) yield* retrieval.request(part);
      if (!asksWhole || retrieval.isComplete) return;
      asksWhole = false;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const isRefused: boolean = asksWhole && retrieval.size === 0 && refusesAmount(error);
      // Until the first instance is here the whole series is asked, later only what is missing.
      asksWhole = asksWhole && retrieval.size === 0 && !isRefused;
      if (isRefused) continue;
      if (error.code !== 'pacs-unreachable') throw error;
      failures = retrieval.size > before ? 1 : failures + 1;
      if (failures > pacs.retries) throw error;
      await backOff(failures, error, options.signal);
    }
  }
}

/** Answers to a whole series that say nothing of its instances: no access and "later" are said of both. */
function refusesAmount({ detail }: AppError): boolean {
  const status = Number(detail['status']);
  return status >= 400 && ![401, 403, 429, 503].includes(status);
}

/** Which instances have arrived, by SOPInstanceUID. */
class Retrieval {
  readonly #pacs: Pacs;
  readonly #address: SeriesAddress;
  #listed: readonly string[] | undefined;
  #expected: number;
  readonly #options: RetrieveOptions;
  readonly #arrived = new Set<string>();
  #bytes = 0;

  constructor(pacs: Pacs, { address, instances, sopInstanceUids }: ExpectedSeries, options: RetrieveOptions) {
    this.#pacs = pacs;
    this.#address = address;
    this.#listed = sopInstanceUids;
    this.#expected = instances;
    this.#options = options;
  }

  get size(): number {
    return this.#arrived.size;
  }

  /** Whether as many instances are here as the PACS counted before. */
  get isComplete(): boolean {
    return this.#listed === undefined && this.size === this.#expected;
  }

  /** By the list of the PACS, which is asked for once. */
  async missing(): Promise<readonly string[]> {
    this.#listed ??= await listInstances(this.#pacs, this.#address, this.#options.signal);
    this.#expected = this.#listed.length;
    return this.#listed.filter((uid) => !this.#arrived.has(uid));
  }

  /** Retrieves the series, or one instance, which then must be among what arrives. */
  async *request(part: { readonly sopInstanceUid?: string }): AsyncGenerator<Uint8Array> {
    const onBytes = (count: number): void => {
      this.#bytes += count;
      this.#report();
    };
    const { signal } = this.#options;
    const options = { signal, onBytes, reusesBytes: true } as const;
    for await (const file of this.#pacs.retrieve({ ...this.#address, ...part }, options)) {
      if (this.#isNew(file)) yield file;
    }
    if (part.sopInstanceUid !== undefined && !this.#arrived.has(part.sopInstanceUid)) {
      throw new AppError('pacs-answer-invalid', 'The PACS lists an instance and answers with another one.', {
        sopInstanceUid: part.sopInstanceUid,
      });
    }
    this.#report();
  }

  #report(): void {
    this.#options.onProgress?.({ instances: this.size, expected: this.#expected, bytes: this.#bytes });
  }

  #isNew(file: Uint8Array): boolean {
    const dataSet = parsePart10(file, `Object ${this.size + 1}`, true);
    const { studyInstanceUid, seriesInstanceUid } = this.#address;
    const isOfSeries =
      dataSet.string('x0020000d') === studyInstanceUid && dataSet.string('x0020000e') === seriesInstanceUid;
    if (!isOfSeries) {
      throw new AppError('pacs-answer-invalid', 'The PACS answered with an object of another series.', {});
    }
    if (this.size === 0) this.#checkSize(dataSet);
    const before = this.size;
    this.#arrived.add(dataSet.string('x00080018') ?? '');
    this.#report();
    return this.size > before;
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
