import type { Segment } from '../labelmap/labelmap.ts';
import type { SourceInstance } from '../study/source-series.ts';
import { deriveUid } from './uid.ts';

/** The version of a model that an object is made with. */
export interface ModelReference {
  readonly name: string;
  readonly version: number;
  /** Of the weights, hex. */
  readonly sha256: string;
}

/** Manufacturer (0008,0070) of derived objects. */
export const manufacturer = 'UnCoL for OHIF';

/** Manufacturer's Model Name (0008,1090) of derived objects. */
export const modelName = 'UnCoL server';

/** Stands for every reader: who it was is known to the server's own table and written into no object. */
export const readerName = 'Reader^Correction';

/**
 * The series description of an object made with a model: name, version and what it is, at most 64 characters (LO). The
 * name is cut where it has to be, the warning always whole.
 */
export function describeSeries(
  model: { readonly name: string; readonly version: number },
  ...words: readonly string[]
): string {
  const tail = `${[` v${model.version}`, ...words].join(' ')}: AI-generated, research use`;
  return model.name.slice(0, 64 - tail.length) + tail;
}

/** General and Enhanced General Equipment (PS3.3 C.7.5.1, C.7.5.2): the software is the model's version. */
export function describeEquipment(model: ModelReference) {
  return {
    Manufacturer: manufacturer,
    ManufacturerModelName: modelName,
    DeviceSerialNumber: model.sha256.slice(0, 16),
    SoftwareVersions: `${model.name}@${model.version}`.slice(0, 64),
  };
}

/** What an algorithm identification says (PS3.3 10.16, PS3.16 TID 4019). */
export function describeAlgorithm(model: ModelReference) {
  return {
    name: `UnCoL ${model.name}`.slice(0, 64),
    version: String(model.version),
    parameters: `weights sha256 ${model.sha256}`,
  };
}

/** How a segment is followed over objects (PS3.3 C.8.20.4): the first one has the case's UID, the others' derive from it. */
export function trackSegment(segment: Segment, trackingUid: string): { readonly id: string; readonly uid: string } {
  return {
    id: `${segment.label} 1`.slice(0, 64),
    uid: segment.number === 1 ? trackingUid : deriveUid(trackingUid, segment.number),
  };
}

/** Image SOP Instance Reference Macro (PS3.3 10.3): of a multi-frame object the one frame. */
export function referToFrame(instance: SourceInstance) {
  const { frameNumber } = instance;
  return { ...referTo(instance), ...(frameNumber === undefined ? {} : { ReferencedFrameNumber: frameNumber }) };
}

/** SOP Instance Reference Macro (PS3.3 10.8). */
export function referTo(instance: SourceInstance) {
  return { ReferencedSOPClassUID: instance.sopClassUid, ReferencedSOPInstanceUID: instance.sopInstanceUid };
}

/** DA and TM, UTC. */
export function dicomDateTime(at: Date): { readonly date: string; readonly time: string } {
  const iso = at.toISOString();
  return { date: iso.slice(0, 10).replaceAll('-', ''), time: iso.slice(11, 19).replaceAll(':', '') };
}
