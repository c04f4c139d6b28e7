import { z } from 'zod';
import { AppError } from '../errors/app-error.ts';
import { isUid } from './uid.ts';

/** A study as a search answers it. */
export interface StudyRecord {
  readonly studyInstanceUid: string;
  readonly modalities: readonly string[];
  /** Empty when the PACS has none. For keyed hashing only: never stored, shown or logged. */
  readonly patientId: string;
  readonly issuerOfPatientId: string;
}

/** A series as a search answers it. */
export interface SeriesRecord {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly modality: string;
  /** Body Part Examined (0018,0015), upper case; empty when the PACS does not tell it. */
  readonly bodyPart: string;
  /** NumberOfSeriesRelatedInstances, when the PACS tells it. */
  readonly instances: number | undefined;
  /** Free text of the site: for a user's eyes, not for a log. */
  readonly description: string;
  /** StudyDate, YYYYMMDD; empty when the PACS does not tell it with the series. */
  readonly studyDate: string;
}

/** An instance as a search answers it. */
export interface InstanceRecord {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  /** BitsAllocated, and Rows x Columns, where the PACS tells them (PS3.18 10.6.3.3). */
  readonly bitsAllocated: number | undefined;
  readonly pixelsOfFrame: number | undefined;
}

/** The DICOM JSON model (PS3.18 F.2): tag to value representation and values. */
const attribute = z.looseObject({ Value: z.array(z.unknown()).optional() });
const answer = z.array(z.record(z.string(), attribute));
type Attributes = z.infer<typeof answer>[number];

/** @throws AppError `pacs-answer-invalid` */
export function parseStudies(json: unknown): StudyRecord[] {
  return parse(json).map((study) => ({
    studyInstanceUid: uid(study, '0020000D', 'StudyInstanceUID'),
    modalities: texts(study, '00080061'),
    patientId: texts(study, '00100020')[0] ?? '',
    issuerOfPatientId: texts(study, '00100021')[0] ?? '',
  }));
}

/** @param study the study that was asked, for servers that leave it out below it. @throws AppError `pacs-answer-invalid` */
export function parseSeries(json: unknown, study?: string): SeriesRecord[] {
  return parse(json).map((series) => {
    return {
      studyInstanceUid:
        study !== undefined && series['0020000D'] === undefined ? study : uid(series, '0020000D', 'StudyInstanceUID'),
      seriesInstanceUid: uid(series, '0020000E', 'SeriesInstanceUID'),
      modality: texts(series, '00080060')[0] ?? '',
      bodyPart: (texts(series, '00180015')[0] ?? '').toUpperCase(),
      instances: count(series, '00201209'),
      description: texts(series, '0008103E')[0] ?? '',
      studyDate: texts(series, '00080020')[0] ?? '',
    };
  });
}

/** @throws AppError `pacs-answer-invalid` */
export function parseInstances(json: unknown): InstanceRecord[] {
  return parse(json).map((instance) => ({
    sopClassUid: texts(instance, '00080016')[0] ?? '',
    sopInstanceUid: uid(instance, '00080018', 'SOPInstanceUID'),
    bitsAllocated: count(instance, '00280100'),
    pixelsOfFrame: times(count(instance, '00280010'), count(instance, '00280011')),
  }));
}

function parse(json: unknown): readonly Attributes[] {
  const parsed = answer.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new AppError(
    'pacs-answer-invalid',
    'A search answer of the PACS is not DICOM JSON.',
    {},
    { cause: parsed.error },
  );
}

function texts(attributes: Attributes, tag: string): string[] {
  return (attributes[tag]?.Value ?? []).filter((value) => typeof value === 'string').map((value) => value.trim());
}

function count(attributes: Attributes, tag: string): number | undefined {
  const found = Number(attributes[tag]?.Value?.[0] ?? Number.NaN);
  return Number.isInteger(found) ? found : undefined;
}

function times(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a * b;
}

function uid(attributes: Attributes, tag: string, keyword: string): string {
  const [found] = texts(attributes, tag);
  if (found !== undefined && isUid(found)) return found;
  throw new AppError('pacs-answer-invalid', `A search answer of the PACS has no valid ${keyword}.`, { keyword });
}
