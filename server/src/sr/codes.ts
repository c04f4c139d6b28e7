import type { Code } from '../labelmap/labelmap.ts';

const dcm = (value: string, meaning: string): Code => ({ value, scheme: 'DCM', meaning });
const sct = (value: string, meaning: string): Code => ({ value, scheme: 'SCT', meaning });

/** Concept names and values of a measurement report (PS3.16 annexes A and D), by the template that asks for them. */
export const concepts = {
  // TID 1500 Measurement Report and TID 1204 Language.
  imagingMeasurementReport: dcm('126000', 'Imaging Measurement Report'),
  language: dcm('121049', 'Language of Content Item and Descendants'),
  english: { value: 'en', scheme: 'RFC5646', meaning: 'English' },
  procedureReported: dcm('121058', 'Procedure reported'),
  imagingMeasurements: dcm('126010', 'Imaging Measurements'),
  qualitativeEvaluations: { value: 'C0034375', scheme: 'UMLS', meaning: 'Qualitative Evaluations' },
  comment: dcm('121106', 'Comment'),
  // TID 1002 to 1004 Observer Context.
  observerType: dcm('121005', 'Observer Type'),
  person: dcm('121006', 'Person'),
  personObserverName: dcm('121008', 'Person Observer Name'),
  device: dcm('121007', 'Device'),
  deviceObserverUid: dcm('121012', 'Device Observer UID'),
  deviceObserverName: dcm('121013', 'Device Observer Name'),
  deviceObserverManufacturer: dcm('121014', 'Device Observer Manufacturer'),
  deviceObserverModelName: dcm('121015', 'Device Observer Model Name'),
  deviceObserverSerialNumber: dcm('121016', 'Device Observer Serial Number'),
  // TID 1600 Image Library and TID 1602 its descriptors.
  imageLibrary: dcm('111028', 'Image Library'),
  imageLibraryGroup: dcm('126200', 'Image Library Group'),
  modality: dcm('121139', 'Modality'),
  // TID 1411 Volumetric ROI Measurements and Qualitative Evaluations, TID 1419 ROI Measurements.
  measurementGroup: dcm('125007', 'Measurement Group'),
  trackingIdentifier: dcm('112039', 'Tracking Identifier'),
  trackingUniqueIdentifier: dcm('112040', 'Tracking Unique Identifier'),
  finding: dcm('121071', 'Finding'),
  referencedSegment: dcm('121191', 'Referenced Segment'),
  sourceSeries: dcm('121232', 'Source series for segmentation'),
  measurementMethod: sct('370129005', 'Measurement Method'),
  sumOfVoxels: dcm('126030', 'Sum of segmented voxel volumes'),
  findingSite: sct('363698007', 'Finding Site'),
  laterality: sct('272741003', 'Laterality'),
  volume: sct('118565006', 'Volume'),
  cubicCentimetre: { value: 'cm3', scheme: 'UCUM', meaning: 'cubic centimeter' },
  center: dcm('111010', 'Center'),
  // TID 4019 Algorithm Identification.
  algorithmFamily: dcm('111000', 'Algorithm Family'),
  algorithmName: dcm('111001', 'Algorithm Name'),
  algorithmVersion: dcm('111003', 'Algorithm Version'),
  algorithmParameters: dcm('111002', 'Algorithm Parameters'),
} as const satisfies Record<string, Code>;

/** What is said of a source series by its Modality (0008,0060): procedure (PS3.16 CID 100), acquisition (CID 29). */
export const modalities: ReadonlyMap<string, { readonly procedure: Code; readonly acquisition: Code }> = new Map([
  [
    'CT',
    {
      procedure: { value: '25045-6', scheme: 'LN', meaning: 'CT unspecified body region' },
      acquisition: dcm('CT', 'Computed Tomography'),
    },
  ],
  [
    'MR',
    {
      procedure: { value: '25056-3', scheme: 'LN', meaning: 'MRI unspecified body region' },
      acquisition: dcm('MR', 'Magnetic Resonance'),
    },
  ],
]);

/** Of a modality that {@link modalities} does not know (PS3.16 CID 100). */
export const anyProcedure: Code = sct('363679005', 'Imaging procedure');
