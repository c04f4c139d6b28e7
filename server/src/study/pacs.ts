import type { InstanceRecord, SeriesRecord, StudyRecord } from './dicom-json.ts';

export interface StudyQuery {
  readonly studyInstanceUid?: string | undefined;
}

export interface SeriesQuery {
  readonly studyInstanceUid?: string | undefined;
  readonly seriesInstanceUid?: string | undefined;
  /** E.g. `MR`. */
  readonly modality?: string | undefined;
  /**
   * Further matching keys (PS3.18 8.3.4.1) by keyword, e.g. `StudyDate`, with the wildcards * and ?. What comes back is not
   * compared with them: a PACS that ignores a key answers more.
   */
  readonly match?: Readonly<Record<string, string>> | undefined;
  /** No more are listed, whichever the PACS gives first; all when absent. */
  readonly atMost?: number | undefined;
}

/** Where a series is. */
export interface SeriesAddress {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
}

/** Where an instance is; the series may be unknown. */
export interface InstanceAddress {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid?: string | undefined;
  readonly sopInstanceUid: string;
}

/** What a retrieval reports and what stops it. */
export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((count: number) => void) | undefined;
  /** Each object lies in the memory of the one before, which is gone when the next one is asked for. */
  readonly reusesBytes?: boolean;
}

/**
 * One PACS over DICOMweb (PS3.18). All methods throw AppError `pacs-unreachable`, `pacs-refused`,
 * `pacs-answer-invalid`, and `request-invalid` for a malformed UID.
 */
export interface Pacs {
  /** Renewed tries of a transfer without any progress. */
  readonly retries: number;
  searchStudies(query?: StudyQuery, signal?: AbortSignal): Promise<readonly StudyRecord[]>;
  searchSeries(query?: SeriesQuery, signal?: AbortSignal): Promise<readonly SeriesRecord[]>;
  searchInstances(address: SeriesAddress, signal?: AbortSignal): Promise<readonly InstanceRecord[]>;
  has(address: InstanceAddress, signal?: AbortSignal): Promise<boolean>;
  /** Stores one DICOM file. @throws AppError `pacs-store-failed`: the PACS does not confirm its SOPInstanceUID; `pacs-object-too-large`. */
  store(file: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Resolves when the PACS answers a search. */
  echo(signal?: AbortSignal): Promise<void>;
  /** DICOM files of a series, or one instance of it, as they arrive. @throws AppError `series-not-found` */
  retrieve(
    address: SeriesAddress & { readonly sopInstanceUid?: string },
    options?: TransferOptions,
  ): AsyncIterable<Uint8Array>;
  /** Ends idle connections. */
  close(): Promise<void>;
}
