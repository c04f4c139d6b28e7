import type { DataSet } from '../seg/encode.ts';
import { decimalString, encodePart10 } from '../seg/part10.ts';
import { deriveUid } from '../seg/uid.ts';
import { indexToPatient } from '../volume/geometry.ts';
import { findIntensityWindow } from '../volume/intensity.ts';
import type { Volume } from '../volume/volume.ts';

/** What stands in the objects of a sample series beside its voxels. UIDs follow from `uidRoot`. */
export interface SeriesIdentity {
  readonly modality: 'MR' | 'CT';
  /** Words from which every UID of the study is derived. */
  readonly uidRoot: readonly (string | number)[];
  readonly patientName: string;
  readonly patientId: string;
  readonly studyDescription: string;
  /** Says *synthetic* when it is. */
  readonly seriesDescription: string;
  readonly bodyPartExamined: 'HEAD' | 'BRAIN';
}

/** UIDs of a sample study. */
export interface SeriesUids {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly frameOfReferenceUid: string;
}

const sopClassUids = { MR: '1.2.840.10008.5.1.4.1.1.4', CT: '1.2.840.10008.5.1.4.1.1.2' } as const;

/** The UIDs that always belong to an identity. */
export function seriesUids({ uidRoot }: SeriesIdentity): SeriesUids {
  return {
    studyInstanceUid: deriveUid(...uidRoot, 'study'),
    seriesInstanceUid: deriveUid(...uidRoot, 'series'),
    frameOfReferenceUid: deriveUid(...uidRoot, 'frame of reference'),
  };
}

/**
 * A volume as single-frame MR or CT Image Storage objects (PS3.3 A.4, A.3), Explicit VR Little Endian, slice 0 first.
 *
 * Objects are made one by one as they are asked for; the same volume and identity give the same bytes.
 *
 * @throws RangeError when the voxels are not whole 16-bit numbers (`data` is float32).
 */
export function* writeSeries(
  volume: Volume,
  identity: SeriesIdentity,
): Generator<{ readonly sopInstanceUid: string; readonly bytes: Uint8Array }> {
  const { data, geometry } = volume;
  if (data instanceof Float32Array) throw new RangeError('a float32 volume cannot be written as an MR or CT image');
  const shared = sharedAttributes(volume, identity);
  const [columns, rows, slices] = geometry.size;
  for (let k = 0; k < slices; k++) {
    const sopInstanceUid = deriveUid(...identity.uidRoot, 'instance', k);
    const slice = data.subarray(k * rows * columns, (k + 1) * rows * columns);
    const stored = data instanceof Int16Array ? Int16Array.from(slice) : Uint16Array.from(slice);
    const dataSet = {
      ...shared,
      SOPInstanceUID: sopInstanceUid,
      InstanceNumber: k + 1,
      ImagePositionPatient: indexToPatient(geometry, [0, 0, k]).map(decimalString),
    };
    const bytes = encodePart10(dataSet, { vr: 'OW', bytes: new Uint8Array(stored.buffer) });
    yield { sopInstanceUid, bytes };
  }
}

function sharedAttributes(volume: Volume, identity: SeriesIdentity): DataSet {
  const { data, geometry } = volume;
  const [row, column] = geometry.direction;
  const { studyInstanceUid, seriesInstanceUid, frameOfReferenceUid } = seriesUids(identity);
  const window = identity.modality === 'CT' ? { low: 0, high: 80 } : displayWindow(volume);
  return {
    ...(identity.modality === 'CT' ? ctAttributes : mrAttributes),
    SOPClassUID: sopClassUids[identity.modality],
    Modality: identity.modality,
    StudyInstanceUID: studyInstanceUid,
    SeriesInstanceUID: seriesInstanceUid,
    FrameOfReferenceUID: frameOfReferenceUid,
    PatientName: [{ Alphabetic: identity.patientName }],
    PatientID: identity.patientId,
    PatientBirthDate: '',
    PatientSex: 'O',
    StudyDate: '20240102',
    StudyTime: '120000',
    AccessionNumber: '',
    ReferringPhysicianName: [],
    StudyID: '1',
    StudyDescription: identity.studyDescription,
    SeriesDescription: identity.seriesDescription,
    SeriesNumber: 1,
    BodyPartExamined: identity.bodyPartExamined,
    Manufacturer: 'UnCoL for OHIF',
    ManufacturerModelName: 'sample studies',
    PositionReferenceIndicator: '',
    PatientPosition: 'HFS',
    ImageOrientationPatient: [...row, ...column].map(decimalString),
    PixelSpacing: [geometry.spacingMm[1], geometry.spacingMm[0]].map(decimalString),
    SliceThickness: decimalString(geometry.spacingMm[2]),
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: geometry.size[1],
    Columns: geometry.size[0],
    BitsAllocated: 16,
    BitsStored: 16,
    HighBit: 15,
    PixelRepresentation: data instanceof Int16Array ? 1 : 0,
    WindowCenter: decimalString(Math.round((window.low + window.high) / 2)),
    WindowWidth: decimalString(Math.max(2, Math.round(window.high - window.low))),
  };
}

/** What an MR image must say of its acquisition (PS3.3 C.8.3.1); nobody acquired it, so research mode and empty times. */
const mrAttributes: DataSet = {
  ImageType: ['DERIVED', 'SECONDARY', 'OTHER'],
  ScanningSequence: 'RM',
  SequenceVariant: 'NONE',
  ScanOptions: '',
  MRAcquisitionType: '3D',
  RepetitionTime: '',
  EchoTime: '',
  EchoTrainLength: '',
  MagneticFieldStrength: '',
};

/** PS3.3 C.8.2.1. */
const ctAttributes: DataSet = {
  ImageType: ['DERIVED', 'SECONDARY', 'AXIAL'],
  KVP: '',
  AcquisitionNumber: '',
  RescaleIntercept: '0',
  RescaleSlope: '1',
  RescaleType: 'HU',
};

function displayWindow(volume: Volume): { readonly low: number; readonly high: number } {
  return findIntensityWindow(volume, { lowPercentile: 0.5, highPercentile: 99.5 });
}
