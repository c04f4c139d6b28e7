import dicomwebClient from 'dicomweb-client';
import { AppError } from '../errors/app-error.ts';
import type { PacsAccess } from '../setup/pacs-access.ts';
import type { TrafficMeter } from '../telemetry/traffic.ts';
import { answerError } from './answer-error.ts';
import { backOff, type Connection, createConnection } from './connection.ts';
import {
  type InstanceRecord,
  parseInstances,
  parseSeries,
  parseStudies,
  type SeriesRecord,
  type StudyRecord,
} from './dicom-json.ts';
import { ObjectSource } from './object-stream.ts';
import type { InstanceAddress, Pacs, SeriesAddress, SeriesQuery, StudyQuery, TransferOptions } from './pacs.ts';
import { type PacsProfile, type ProfileName, profileOf } from './pacs-profiles.ts';
import { parsePart10 } from './part10.ts';
import { checkMatch, checkModality } from './search-keys.ts';
import { checkStored } from './stow-answer.ts';
import { checkUid } from './uid.ts';
import { ConnectionXhr } from './xhr.ts';

export type { Pacs, SeriesAddress } from './pacs.ts';

export interface PacsOptions extends PacsAccess {
  /** DICOMweb root. */
  readonly url: string;
  /** Longest silence of a transfer, seconds. */
  readonly idleSeconds: number;
  /** Renewed tries of a request without any progress. */
  readonly retries: number;
  /** What the PACS is; `generic` when absent. */
  readonly profile?: ProfileName | undefined;
  /** At most so many requests are sent in a second; unset: as many as are asked for. */
  readonly requestsPerSecond?: number | undefined;
  /** Counts what is sent and received. */
  readonly meter?: TrafficMeter | undefined;
}

/** A PACS client. Nothing is sent before the first call. */
export function createPacs(options: PacsOptions): Pacs {
  return new DicomwebPacs(createConnection(options), options.retries, profileOf(options.profile ?? 'generic'));
}

type Request = { readonly instance: ConnectionXhr };
type Params = Readonly<Record<string, string | number>>;
type Scope = { readonly studyInstanceUID?: string; readonly seriesInstanceUID?: string };
type Search = (options: Scope & { readonly queryParams: Params; readonly request: Request }) => Promise<unknown>;

/** The methods used here. The package's own declarations leave out `request` and say that no promise is returned. */
interface Client {
  readonly searchForStudies: Search;
  readonly searchForSeries: Search;
  readonly searchForInstances: Search;
  readonly storeInstances: (options: {
    readonly datasets: readonly ArrayBuffer[];
    readonly request: Request;
  }) => Promise<unknown>;
}

class DicomwebPacs implements Pacs {
  readonly retries: number;
  readonly #connection: Connection;
  readonly #objects: ObjectSource;
  readonly #client: Client;
  readonly #profile: PacsProfile;
  #asksFields = true;

  constructor(connection: Connection, retries: number, profile: PacsProfile) {
    this.retries = retries;
    this.#connection = connection;
    this.#profile = profile;
    this.#objects = new ObjectSource(connection, profile.accept);
    const settings = { url: connection.url, singlepart: false, verbose: false };
    this.#client = new dicomwebClient.api.DICOMwebClient(settings) as unknown as Client;
  }

  async searchStudies(query: StudyQuery = {}, signal?: AbortSignal): Promise<readonly StudyRecord[]> {
    const { studyInstanceUid } = query;
    const params =
      studyInstanceUid === undefined ? {} : { StudyInstanceUID: checkUid(studyInstanceUid, 'StudyInstanceUID') };
    const found = await this.#searchAll(
      params,
      [],
      async (queryParams) =>
        parseStudies(await this.#call((request) => this.#client.searchForStudies({ queryParams, request }), signal)),
      (study) => study.studyInstanceUid,
    );
    return found.filter((study) => matches(study.studyInstanceUid, studyInstanceUid));
  }

  async searchSeries(query: SeriesQuery = {}, signal?: AbortSignal): Promise<readonly SeriesRecord[]> {
    const { studyInstanceUid, seriesInstanceUid, modality, match, atMost } = query;
    if (studyInstanceUid === undefined && this.#profile.seriesSearch === 'in a study')
      return this.#searchStudyByStudy(query, signal);
    const scope =
      studyInstanceUid === undefined ? {} : { studyInstanceUID: checkUid(studyInstanceUid, 'StudyInstanceUID') };
    const params = {
      ...checkMatch(match ?? {}, this.#profile),
      ...(seriesInstanceUid === undefined
        ? {}
        : { SeriesInstanceUID: checkUid(seriesInstanceUid, 'SeriesInstanceUID') }),
      ...(modality === undefined ? {} : { Modality: checkModality(modality) }),
    };
    const found = await this.#searchAll(
      params,
      this.#profile.askedFields.series,
      async (queryParams) => {
        const answer = await this.#call(
          (request) => this.#client.searchForSeries({ ...scope, queryParams, request }),
          signal,
        );
        return parseSeries(answer, studyInstanceUid);
      },
      (series) => series.seriesInstanceUid,
      atMost,
    );
    return found.filter(
      (series) =>
        matches(series.studyInstanceUid, studyInstanceUid) &&
        matches(series.seriesInstanceUid, seriesInstanceUid) &&
        matches(series.modality, modality),
    );
  }

  async searchInstances(address: SeriesAddress, signal?: AbortSignal): Promise<readonly InstanceRecord[]> {
    const scope = checkAddress(address);
    return this.#searchAll(
      {},
      this.#profile.askedFields.instances,
      async (queryParams) =>
        parseInstances(
          await this.#call((request) => this.#client.searchForInstances({ ...scope, queryParams, request }), signal),
        ),
      (instance) => instance.sopInstanceUid,
    );
  }

  async has(address: InstanceAddress, signal?: AbortSignal): Promise<boolean> {
    const scope = checkAddress(address);
    const queryParams = { SOPInstanceUID: checkUid(address.sopInstanceUid, 'SOPInstanceUID') };
    const answer = await this.#call(
      (request) => this.#client.searchForInstances({ ...scope, queryParams, request }),
      signal,
    );
    return parseInstances(answer).some(({ sopInstanceUid }) => sopInstanceUid === address.sopInstanceUid);
  }

  async store(file: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { alreadyStored, storeBytes } = this.#profile;
    if (file.length > storeBytes) {
      const message = `The object has ${file.length} bytes, and this PACS takes ${storeBytes} in a request. UNCOL_SEG_PIXELS makes Segmentations smaller.`;
      throw new AppError('pacs-object-too-large', message, { bytes: file.length, storeBytes });
    }
    const sopInstanceUid = parsePart10(file, 'The object', true).string('x00080018') ?? '';
    const datasets = [new Uint8Array(file).buffer];
    const xhr = new ConnectionXhr(this.#connection, signal);
    try {
      const answer = await this.#client.storeInstances({ datasets, request: { instance: xhr } });
      checkStored(answer, sopInstanceUid, alreadyStored);
    } catch (error) {
      if (error instanceof AppError) throw error;
      if (xhr.failure !== undefined) throw xhr.failure;
      if (xhr.status === 413) {
        const said = `The PACS, or a proxy before it, answered 413 to an object of ${file.length} bytes.`;
        throw new AppError('pacs-object-too-large', said, { status: 413, bytes: file.length }, { cause: error });
      }
      const told = answerError(xhr.status, xhr.getResponseHeader('retry-after'), error);
      // 409 and its kind carry the same answer object, with the reasons; "later" carries nothing.
      const mayHoldReasons =
        told.code === 'pacs-answer-invalid' && typeof xhr.response === 'string' && xhr.response !== '';
      if (!mayHoldReasons) throw told;
      checkStored(xhr.response, sopInstanceUid, alreadyStored);
    }
  }

  async echo(signal?: AbortSignal): Promise<void> {
    const queryParams = { limit: 1 };
    parseStudies(await this.#callOnce((request) => this.#client.searchForStudies({ queryParams, request }), signal));
  }

  retrieve(
    address: SeriesAddress & { readonly sopInstanceUid?: string },
    options: TransferOptions = {},
  ): AsyncIterable<Uint8Array> {
    const { studyInstanceUID, seriesInstanceUID } = checkAddress(address);
    const series = `/studies/${studyInstanceUID}/series/${seriesInstanceUID}`;
    if (address.sopInstanceUid === undefined)
      return this.#profile.wholeSeries ? this.#objects.retrieve(series, options) : this.#retrieveEach(address, options);
    const instance = checkUid(address.sopInstanceUid, 'SOPInstanceUID');
    return this.#objects.retrieve(`${series}/instances/${instance}`, options);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** The series of all studies, for a PACS that searches them in a study alone. */
  async #searchStudyByStudy(query: SeriesQuery, signal: AbortSignal | undefined): Promise<readonly SeriesRecord[]> {
    const { atMost = Number.POSITIVE_INFINITY } = query;
    const found: SeriesRecord[] = [];
    for (const { studyInstanceUid } of await this.searchStudies({}, signal)) {
      if (found.length >= atMost) break;
      found.push(...(await this.searchSeries({ ...query, studyInstanceUid, atMost: atMost - found.length }, signal)));
    }
    return found;
  }

  /** A series of a PACS that gives no whole one. */
  async *#retrieveEach(address: SeriesAddress, options: TransferOptions): AsyncGenerator<Uint8Array> {
    for (const { sopInstanceUid } of await this.searchInstances(address, options.signal))
      yield* this.retrieve({ ...address, sopInstanceUid }, options);
  }

  /** All pages of a search, with the fields that have to be asked for; from then on without, where a PACS answers 400 to them. */
  async #searchAll<T>(
    params: Params,
    fields: readonly string[],
    page: (params: Params) => Promise<readonly T[]>,
    key: (record: T) => string,
    atMost?: number,
  ): Promise<T[]> {
    if (fields.length === 0 || !this.#asksFields) return this.#searchPages(params, page, key, atMost);
    try {
      return await this.#searchPages({ ...params, includefield: fields.join(',') }, page, key, atMost);
    } catch (error) {
      if (!(error instanceof AppError) || error.detail['status'] !== 400) throw error;
      const found = await this.#searchPages(params, page, key, atMost);
      this.#asksFields = false;
      return found;
    }
  }

  /**
   * All pages of a search, or those that give `atMost` records. It ends at an empty page, or at one that brings nothing
   * new: a server that ignores the offset answers the same page for ever.
   */
  async #searchPages<T>(
    params: Params,
    page: (params: Params) => Promise<readonly T[]>,
    key: (record: T) => string,
    atMost = Number.POSITIVE_INFINITY,
  ): Promise<T[]> {
    const found = new Map<string, T>();
    let offset = 0;
    for (;;) {
      const records = await page({
        ...params,
        limit: Math.min(this.#profile.rowsPerPage, atMost - found.size),
        offset,
      });
      const before = found.size;
      for (const record of records) if (!found.has(key(record))) found.set(key(record), record);
      offset += records.length;
      if (found.size === before || found.size >= atMost) return [...found.values()].slice(0, atMost);
    }
  }

  /** A request that is safe to repeat, tried again while the PACS cannot be reached. */
  async #call(action: (request: Request) => Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    for (let failures = 1; ; failures++) {
      try {
        return await this.#callOnce(action, signal);
      } catch (error) {
        const canRetry = error instanceof AppError && error.code === 'pacs-unreachable' && failures <= this.retries;
        if (!canRetry) throw error;
        await backOff(failures, error, signal);
      }
    }
  }

  async #callOnce(action: (request: Request) => Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    const xhr = new ConnectionXhr(this.#connection, signal);
    try {
      return await action({ instance: xhr });
    } catch (error) {
      throw xhr.failure ?? answerError(xhr.status, xhr.getResponseHeader('retry-after'), error);
    }
  }
}

/** A server may ignore a matching key, so what it answers is filtered again here. */
function matches(value: string, wanted: string | undefined): boolean {
  return wanted === undefined || value === wanted;
}

function checkAddress(address: Omit<InstanceAddress, 'sopInstanceUid'>): Scope {
  const studyInstanceUID = checkUid(address.studyInstanceUid, 'StudyInstanceUID');
  if (address.seriesInstanceUid === undefined) return { studyInstanceUID };
  return { studyInstanceUID, seriesInstanceUID: checkUid(address.seriesInstanceUid, 'SeriesInstanceUID') };
}
