import { createHash } from 'node:crypto';
import { AppError } from '../errors/app-error.ts';
import { drawRegions } from '../rtstruct/draw.ts';
import { rtStructOf, rtStructureSetStorage } from '../rtstruct/read.ts';
import { type LaidMask, type Laying, layOnImage } from '../seg/lay-on-image.ts';
import { segOf } from '../seg/read.ts';
import { type Structure, structuresAmong } from '../seg/structures.ts';
import type { Imported } from '../store/corrections.ts';
import { Attributes } from '../study/attributes.ts';
import type { Pacs, SeriesAddress } from '../study/pacs.ts';
import { parsePart10 } from '../study/part10.ts';
import { readSeriesFromPacs } from '../study/series.ts';
import { type SourceSeries, sliceId } from '../study/source-series.ts';
import type { VolumeAddress } from '../study/volume-address.ts';
import { type CardSegment, type Matching, matchStructures, type Naming } from './match-structures.ts';
import type { Submission } from './submission.ts';

/** A mask in the PACS that is to become a correction. */
export interface MaskRequest extends VolumeAddress {
  /** The SEG or RTSTRUCT, in the same study; the instance where its series holds several. */
  readonly object: { readonly seriesInstanceUid: string; readonly sopInstanceUid?: string | undefined };
  readonly naming: Naming;
  /** Agreed: a mask on another grid is carried over by the nearest voxel, and what lies outside the image left out. */
  readonly resample: boolean;
  /** Vouched for: slices that the object says nothing of show nothing. */
  readonly everySlice: boolean;
  /** Vouched for: what an algorithm drew and nobody changed. */
  readonly acceptAutomatic: boolean;
}

export interface MaskParts {
  readonly pacs: Pacs;
  readonly maxVoxels: number;
  /** Of the card. */
  readonly segments: readonly CardSegment[];
}

/** A mask as a reader would hand it in, and where it comes from. */
export interface ReadMask {
  readonly submission: Submission;
  readonly imported: Imported;
  readonly notes: readonly string[];
}

/** An object that may hold a mask, before its pixels or contours are looked at. */
interface MaskObject {
  readonly sopInstanceUid: string;
  readonly sopClassUid: string;
  readonly studyInstanceUid: string;
  readonly referencedSeries: readonly string[];
  readonly referencedInstances: ReadonlySet<string>;
  readonly structures: readonly Structure[];
  /** Of a structure, empty when it is missing. */
  frameOfReferenceUid(structure: number): string;
  lay(laying: Laying): LaidMask;
}

/**
 * Reads a mask that the PACS holds as a submission on the image it was drawn on.
 *
 * @returns a {@link Matching} that is not complete where the person has to say what structures are; nothing else was
 *   looked at then.
 * @throws AppError `import-not-a-mask`, `import-automatic`, `import-elsewhere` (another study, series or frame of
 *   reference), `request-invalid`; those of `readSeg`, `readRtStruct`, `layOnImage`, `drawRegions` and
 *   {@link readSeriesFromPacs}
 */
export async function readMask(
  request: MaskRequest,
  { pacs, maxVoxels, segments }: MaskParts,
  signal: AbortSignal,
): Promise<ReadMask | Matching> {
  const { studyInstanceUid, object, naming, resample } = request;
  const file = await fetchOne(pacs, { studyInstanceUid, ...object }, signal);
  const mask = openMask(file);
  const matching = matchStructures(mask.structures, segments, naming);
  if (matching.open.length > 0 || matching.missing.length > 0) return matching;
  const structures = matching.matches.map(({ number, segment, by }) => {
    const algorithmType = mask.structures.find((one) => one.number === number)?.algorithmType ?? '';
    return { number, segment, by, algorithmType };
  });
  const wanted = structures.filter(({ segment }) => segment > 0);
  const untouched = wanted.filter(({ algorithmType }) => algorithmType === 'AUTOMATIC').map(({ number }) => number);
  if (untouched.length > 0 && !request.acceptAutomatic) {
    const message = `Structures ${untouched.join(', ')} are AUTOMATIC: an algorithm drew them and nobody changed them.`;
    throw new AppError('import-automatic', message, { structures: untouched });
  }
  const series = await readSeriesFromPacs(pacs, request, { maxVoxels, signal });
  for (const { number } of wanted) refuseElsewhere(mask, number, series);
  const classes = new Map(wanted.map(({ number, segment }) => [number, segment]));
  const laid = mask.lay({ classes, image: series.volume.geometry, maxVoxels, resample });
  const slices = series.instances.map(sliceId);
  const [columns, rows] = series.volume.geometry.size;
  return {
    submission: {
      ...{ kind: 'edited', columns, rows, slices, labels: laid.labels },
      approvedSlices: request.everySlice ? slices : slices.filter((_, k) => laid.shown.has(k)),
    },
    imported: {
      sopClassUid: mask.sopClassUid,
      sopInstanceUid: mask.sopInstanceUid,
      seriesInstanceUid: object.seriesInstanceUid,
      sha256: createHash('sha256').update(file).digest('hex'),
      structures,
      resampled: laid.resampled,
      everySlice: request.everySlice,
    },
    notes: laid.notes,
  };
}

async function fetchOne(
  pacs: Pacs,
  address: SeriesAddress & { readonly sopInstanceUid?: string | undefined },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { studyInstanceUid, seriesInstanceUid, sopInstanceUid } = address;
  const series = { studyInstanceUid, seriesInstanceUid, ...(sopInstanceUid === undefined ? {} : { sopInstanceUid }) };
  let found: Uint8Array | undefined;
  for await (const file of pacs.retrieve(series, { signal })) {
    if (found)
      throw new AppError('import-not-a-mask', 'The series holds several objects; one of them has to be named.');
    found = file;
  }
  if (!found) throw new AppError('series-not-found', 'The PACS holds no such object.');
  return found;
}

function openMask(file: Uint8Array): MaskObject {
  const dataSet = parsePart10(file, 'The object');
  const sopClassUid = new Attributes(dataSet, 'The object').uid('x00080016', 'SOPClassUID');
  if (sopClassUid === rtStructureSetStorage) {
    const rtStruct = rtStructOf(dataSet);
    const frames = new Map(rtStruct.regions.map(({ number, frameOfReferenceUid }) => [number, frameOfReferenceUid]));
    return {
      ...rtStruct,
      sopClassUid,
      structures: rtStruct.regions,
      frameOfReferenceUid: (structure) => frames.get(structure) ?? '',
      lay: (laying) => drawRegions(rtStruct, laying),
    };
  }
  if (!segmentationClasses.has(sopClassUid)) {
    throw new AppError('import-not-a-mask', `The object is of SOP class ${sopClassUid.slice(0, 64)}.`, { sopClassUid });
  }
  const seg = segOf(dataSet);
  return {
    ...seg,
    sopClassUid,
    structures: structuresAmong(seg.segments),
    frameOfReferenceUid: () => seg.frameOfReferenceUid,
    lay: (laying) => layOnImage(seg, laying),
  };
}

/** Segmentation Storage and Label Map Segmentation Storage (PS3.4 B.5). */
const segmentationClasses: ReadonlySet<string> = new Set([
  '1.2.840.10008.5.1.4.1.1.66.4',
  '1.2.840.10008.5.1.4.1.1.66.7',
]);

/** Study, series and frame of reference must be those of the image; what an object does not name, its place has to tell. */
function refuseElsewhere(mask: MaskObject, structure: number, series: SourceSeries): void {
  const elsewhere = (what: string) => new AppError('import-elsewhere', `The mask ${what}.`, { structure });
  if (mask.studyInstanceUid !== series.studyInstanceUid) throw elsewhere('is of another study than the image');
  const { referencedSeries, referencedInstances } = mask;
  const namesSeries = referencedSeries.includes(series.seriesInstanceUid);
  if (referencedSeries.length > 0 && !namesSeries) throw elsewhere('refers to another series than the image');
  const namesInstances = series.instances.some(({ sopInstanceUid }) => referencedInstances.has(sopInstanceUid));
  if (referencedInstances.size > 0 && !namesInstances) throw elsewhere('refers to other instances than the image has');
  const frame = mask.frameOfReferenceUid(structure);
  if (frame === '' && !namesSeries && !namesInstances) {
    throw elsewhere('names neither a frame of reference nor a series: nothing says that it is of this image');
  }
  if (frame !== '' && frame !== series.frameOfReferenceUid) throw elsewhere('is in another frame of reference');
}
