import type { Volume } from '../volume/volume.ts';

/** One image of the source series: an object, or a frame of a multi-frame one. */
export interface SourceInstance {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  /** From 1; absent for an object of one image. */
  readonly frameNumber?: number;
}

/** Names a slice on the wire and in blobs: its SOP Instance UID, and for a frame `:` and its number. */
export function sliceId({ sopInstanceUid, frameNumber }: SourceInstance): string {
  return frameNumber === undefined ? sopInstanceUid : `${sopInstanceUid}:${frameNumber}`;
}

/** The objects that images belong to, each once, in the order of their first image. */
export function objectsOf(instances: readonly SourceInstance[]): readonly SourceInstance[] {
  return [...new Map(instances.map((instance) => [instance.sopInstanceUid, instance])).values()];
}

/** DICOM JSON-like naturalized attributes copied from the source into derived objects: keyword to value(s). */
export type HeaderAttributes = Readonly<Record<string, unknown>>;

/** A series read from a PACS or a folder, checked, decoded and sorted: everything the rest of the server needs of it. */
export interface SourceSeries {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly frameOfReferenceUid: string;
  readonly modality: string;
  /** Slice k of the volume is `instances[k]`. */
  readonly instances: readonly SourceInstance[];
  readonly volume: Volume;
  /** Patient and study module attributes for copying (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2); holds PHI, never log it. */
  readonly header: HeaderAttributes;
  /** True when any source frame was lossy compressed; then ratio and method are copied into derived objects. */
  readonly lossy: boolean;
  /** Things a reader should know, e.g. surplus bytes ignored. No PHI. */
  readonly notes: readonly string[];
}
