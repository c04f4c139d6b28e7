import { z } from 'zod';

/** An inclusive range of generator seeds. */
export const seedRange = z
  .strictObject({ from: z.int().min(0), to: z.int().min(0) })
  .refine((range) => range.from <= range.to, 'from must not exceed to');

/**
 * Which segment of a truth is which of the card: a segment number (or value of a label image) or a segment label, and
 * the number in the card, 0 for background. What is not named is background.
 */
const segments = z.record(z.string().min(1).max(64), z.int().min(0).max(255));

const generator = {
  /** Recipes from before there were other kinds do not say it. */
  kind: z.literal('generator').optional(),
  seeds: seedRange,
};

const folder = {
  kind: z.literal('folder'),
  /** Folder of the cases; relative to the recipe. */
  path: z.string().min(1),
  cases: z.array(
    z.strictObject({
      /** A NIfTI file, or a folder with one DICOM series; relative to `path`. */
      image: z.string().min(1),
      /** A NIfTI label image or a DICOM SEG file; relative to `path`. */
      truth: z.string().min(1),
      /** Whatever tells patients apart. It only keeps them in one split and is written nowhere. */
      patient: z.string().min(1),
    }),
  ),
  segments: segments.optional(),
};

const key = z.string().regex(/^[A-Za-z0-9 ._*?-]{1,64}$/, 'letters, digits, blanks and . _ * ? - only');

const dicomweb = {
  kind: z.literal('dicomweb'),
  /** DICOMweb root. */
  url: z.url({ protocol: /^https?$/ }),
  /** QIDO-RS matching keys of series. None names a patient: `patients` keeps splits apart. */
  query: z
    .strictObject({
      StudyInstanceUID: key,
      SeriesInstanceUID: key,
      Modality: key,
      BodyPartExamined: key,
      StudyDate: key,
      StudyDescription: key,
      SeriesDescription: key,
      ProtocolName: key,
      Manufacturer: key,
    })
    .partial(),
  /** Patients by a hash of their ID, percent: 0 to 70 in one split and 70 to 85 in another share none. */
  patients: z
    .strictObject({ fromPercent: z.int().min(0).max(100), toPercent: z.int().min(0).max(100) })
    .refine((range) => range.fromPercent < range.toPercent, 'fromPercent must be below toPercent')
    .optional(),
  segments: segments.optional(),
  /** Whether a SEG that no reader has touched (every segment AUTOMATIC) counts as truth. Default: no. */
  acceptAutomatic: z.boolean().optional(),
};

/** How much is kept of each subject, drawn by seed; what shows foreground is preferred four to one. */
const portion = {
  /** Of a 2D model. */
  slicesPerSubject: z.int().min(1).optional(),
  /** Of a 3D model, to learn from. What it is chosen by is measured whole. */
  windowsPerSubject: z.int().min(1).optional(),
};

/** Subjects of the generator to learn from or to choose by. */
export const generatorSplit = z.strictObject({
  ...generator,
  /** `wide`: scanners, poses, planes and fields of view of every kind; `sample`: moderate. */
  variation: z.enum(['sample', 'wide']),
  ...portion,
});

/** Subjects to learn from or to choose by. */
export const trainingSplit = z.discriminatedUnion('kind', [
  generatorSplit,
  z.strictObject({ ...folder, ...portion }),
  z.strictObject({ ...dicomweb, ...portion }),
]);

/** Whole subjects, measured at the end; of the generator in both variations. */
export const testSplit = z.discriminatedUnion('kind', [
  z.strictObject(generator),
  z.strictObject(folder),
  z.strictObject(dicomweb),
]);

/** {@link trainingSplit} as parsed. */
export type TrainingSplit = Readonly<z.infer<typeof trainingSplit>>;
/** {@link testSplit} as parsed. */
export type TestSplit = Readonly<z.infer<typeof testSplit>>;

/** Subjects of the generator, drawn by seed. */
export type GeneratorSplit = Exclude<TrainingSplit, { readonly kind: 'folder' | 'dicomweb' }>;

/** Cases in a folder. */
export type FolderSource = Readonly<Extract<TestSplit, { readonly kind: 'folder' }>>;

/** Series in a PACS. */
export type DicomwebSource = Readonly<Extract<TestSplit, { readonly kind: 'dicomweb' }>>;

/** Whether a split is made by the generator. */
export function isGenerated<T extends { readonly kind?: string | undefined }>(
  split: T,
): split is Exclude<T, { readonly kind: 'folder' | 'dicomweb' }> {
  return split.kind === undefined || split.kind === 'generator';
}
