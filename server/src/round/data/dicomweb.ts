import { AppError } from '../../errors/app-error.ts';
import { readSeg, type SegObject } from '../../seg/read.ts';
import type { SeriesRecord } from '../../study/dicom-json.ts';
import type { Pacs, SeriesAddress } from '../../study/pacs.ts';
import { readSeriesFromPacs } from '../../study/series.ts';
import { hashPatient, inCase, type OpenCase } from './case.ts';
import type { FolderReading } from './folder.ts';
import type { DicomwebSource } from './sources.ts';
import { segClasses, segTruth, type Wanted } from './truth.ts';

/** What reading the cases of a PACS needs to know. */
export interface PacsReading extends FolderReading {
  readonly pacs: Pacs;
  /** Of the card: series of other modalities are no cases. */
  readonly modalities: readonly string[];
  /** Is told how many series have a truth. */
  readonly onNote: (note: string) => void;
}

/** Where a SEG lies, and what is needed to choose between several. */
interface FoundSeg extends SeriesAddress {
  readonly sopInstanceUid: string;
  readonly seg: Omit<SegObject, 'bits' | 'frames'>;
}

/**
 * The series of a PACS that match a query and have a truth: the newest SEG that refers to them, holds a wanted segment and
 * was touched by a reader. Series come in the order of their UIDs, so a split is the same every time. Pixels are not read
 * yet; SEG objects are, to see what they refer to.
 *
 * @throws AppError those of {@link Pacs}
 */
export async function openDicomweb(source: DicomwebSource, reading: PacsReading): Promise<readonly OpenCase[]> {
  const series = await findSeries(source, reading);
  const wanted: Wanted = { segments: reading.segments, mapping: source.segments };
  const studies = new Map<string, Promise<{ readonly patient: string; readonly segs: readonly FoundSeg[] }>>();
  const cases: OpenCase[] = [];
  let found = 0;
  for (const record of series) {
    const known = studies.get(record.studyInstanceUid) ?? lookAt(record.studyInstanceUid, reading);
    studies.set(record.studyInstanceUid, known);
    const { patient, segs } = await known;
    if (!isInShare(patient, source.patients)) continue;
    found++;
    const truth = await newestTruth(record, segs, wanted, source.acceptAutomatic ?? false, reading);
    if (truth) cases.push(openCase(`${reading.split} ${cases.length + 1}`, patient, record, truth, wanted, reading));
  }
  reading.onNote(`${reading.split}: ${cases.length} of ${found} series in the PACS have a truth`);
  return cases;
}

async function findSeries(
  { query }: DicomwebSource,
  { pacs, modalities, signal }: PacsReading,
): Promise<readonly SeriesRecord[]> {
  const { StudyInstanceUID, SeriesInstanceUID, Modality, ...rest } = query;
  const match = Object.fromEntries(Object.entries(rest).flatMap(([key, value]) => (value ? [[key, value]] : [])));
  const found = await pacs.searchSeries(
    { studyInstanceUid: StudyInstanceUID, seriesInstanceUid: SeriesInstanceUID, modality: Modality, match },
    signal,
  );
  return found
    .filter(({ modality }) => modalities.includes(modality))
    .sort((a, b) => (a.seriesInstanceUid < b.seriesInstanceUid ? -1 : 1));
}

/** Who the study is of, as a hash, and the SEGs in it. */
async function lookAt(
  studyInstanceUid: string,
  { pacs, signal }: PacsReading,
): Promise<{ readonly patient: string; readonly segs: readonly FoundSeg[] }> {
  const [study] = await pacs.searchStudies({ studyInstanceUid }, signal);
  // A blank never merges strangers: such a study is a patient of its own.
  const patient = hashPatient(study?.patientId || `study ${studyInstanceUid}`);
  const segs: FoundSeg[] = [];
  for (const { seriesInstanceUid } of await pacs.searchSeries({ studyInstanceUid, modality: 'SEG' }, signal)) {
    for await (const file of pacs.retrieve({ studyInstanceUid, seriesInstanceUid }, { signal })) {
      const seg = readUsable(file);
      if (!seg) continue;
      const { bits, frames, ...description } = seg;
      segs.push({ studyInstanceUid, seriesInstanceUid, sopInstanceUid: seg.sopInstanceUid, seg: description });
    }
  }
  return { patient, segs };
}

/** A SEG of another kind, or a damaged one, is no truth; it need not end a training. */
function readUsable(file: Uint8Array): SegObject | undefined {
  try {
    return readSeg(file);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

async function newestTruth(
  series: SeriesRecord,
  segs: readonly FoundSeg[],
  wanted: Wanted,
  acceptAutomatic: boolean,
  { pacs, signal }: PacsReading,
): Promise<FoundSeg | undefined> {
  const usable = segs.filter(({ seg }) => {
    const classes = segClasses(seg, wanted);
    const isRead = seg.segments.some(
      ({ number, algorithmType }) => classes.has(number) && algorithmType !== 'AUTOMATIC',
    );
    return classes.size > 0 && (isRead || acceptAutomatic);
  });
  if (usable.length === 0) return undefined;
  const named = usable.filter(({ seg }) => seg.referencedSeries.includes(series.seriesInstanceUid));
  // Some writers name instances only.
  const instances = named.length > 0 ? [] : await pacs.searchInstances(series, signal);
  const refers = ({ seg }: FoundSeg) =>
    seg.referencedSeries.length === 0 && instances.some((i) => seg.referencedInstances.has(i.sopInstanceUid));
  const candidates = named.length > 0 ? named : usable.filter(refers);
  const order = ({ seg, sopInstanceUid }: FoundSeg) => `${seg.createdAt} ${sopInstanceUid}`;
  return [...candidates].sort((a, b) => (order(a) < order(b) ? 1 : -1))[0];
}

function openCase(
  name: string,
  patient: string,
  series: SeriesRecord,
  truth: FoundSeg,
  wanted: Wanted,
  { pacs, maxVoxels, signal }: PacsReading,
): OpenCase {
  return {
    name,
    patient,
    // The search has just found it.
    look: async () => {},
    async read() {
      const { volume, frameOfReferenceUid } = await inCase(name, 'image', () =>
        readSeriesFromPacs(pacs, { ...series, volume: '' }, { maxVoxels, signal }),
      );
      const frame = { geometry: volume.geometry, frameOfReferenceUid };
      const labels = await inCase(name, 'truth', async () => {
        for await (const file of pacs.retrieve(truth, { signal })) {
          return segTruth(readSeg(file), frame, wanted, maxVoxels);
        }
        throw new AppError('series-not-found', 'The SEG is no longer in the PACS.');
      });
      return { image: volume, truth: labels };
    },
  };
}

/** Patients are spread over 0..99 by their hash, so a share stays the same when others come. */
function isInShare(patient: string, share: DicomwebSource['patients']): boolean {
  if (!share) return true;
  const percent = Number.parseInt(patient.slice(0, 8), 16) % 100;
  return percent >= share.fromPercent && percent < share.toPercent;
}
