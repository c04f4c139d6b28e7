import { AppError } from '../errors/app-error.ts';
import { readTerm, type Structure } from '../seg/structures.ts';
import { Attributes } from '../study/attributes.ts';
import { readText } from '../study/header.ts';
import { type DataSet, itemsOf, parsePart10, unreadable } from '../study/part10.ts';

/** SOP class of RT Structure Set Storage (PS3.4 B.5). */
export const rtStructureSetStorage = '1.2.840.10008.5.1.4.1.1.481.3';

/** One contour of a region of interest (PS3.3 C.8.8.6). */
export interface Contour {
  /** ContourGeometricType, e.g. `CLOSED_PLANAR`. */
  readonly type: string;
  /** LPS mm, three numbers a point; the last one is joined to the first. */
  readonly points: Float64Array;
}

/** A region of interest with its contours. */
export interface Region extends Structure {
  /** Empty when it is missing. */
  readonly frameOfReferenceUid: string;
  readonly contours: readonly Contour[];
}

/** An RT Structure Set as read. */
export interface RtStruct {
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  /** Series that it names as its images. */
  readonly referencedSeries: readonly string[];
  /** SOP instances that it names as its images, by series or by contour. */
  readonly referencedInstances: ReadonlySet<string>;
  readonly regions: readonly Region[];
}

/** Points of one object: beyond this it is no drawing of a person. */
const mostPoints = 20_000_000;

/**
 * Reads an RT Structure Set (PS3.3 A.19) of any writer. What a contour means on an image is for `drawRegions` to say.
 *
 * @throws AppError `instance-unreadable`: no RT Structure Set, damaged, or a required attribute is missing or ill-formed.
 */
export function readRtStruct(bytes: Uint8Array): RtStruct {
  return rtStructOf(parsePart10(bytes, 'The RTSTRUCT'));
}

/** The same of an object that was parsed before. */
export function rtStructOf(dataSet: DataSet): RtStruct {
  const read = new Attributes(dataSet, 'The RTSTRUCT');
  const sopClassUid = read.uid('x00080016', 'SOPClassUID');
  if (sopClassUid !== rtStructureSetStorage) throw unreadable('The file', 'is no RT Structure Set', { sopClassUid });
  const regions = readRegions(dataSet);
  const frames = itemsOf(dataSet, 'x30060010');
  const studies = frames.flatMap((frame) => itemsOf(frame, 'x30060012'));
  const series = studies.flatMap((study) => itemsOf(study, 'x30060014'));
  const images = [
    ...series,
    ...itemsOf(dataSet, 'x30060039').flatMap((region) => itemsOf(region, 'x30060040')),
  ].flatMap((item) => itemsOf(item, 'x30060016'));
  return {
    sopInstanceUid: read.uid('x00080018', 'SOPInstanceUID'),
    studyInstanceUid: read.uid('x0020000d', 'StudyInstanceUID'),
    referencedSeries: series.flatMap((item) => item.string('x0020000e')?.trim() ?? []),
    referencedInstances: new Set(images.flatMap((item) => item.string('x00081155')?.trim() ?? [])),
    regions,
  };
}

function readRegions(dataSet: DataSet): readonly Region[] {
  const byNumber = (tag: string) =>
    new Map(itemsOf(dataSet, tag).map((item) => [item.string('x30060084')?.trim() ?? '', item] as const));
  const contours = byNumber('x30060039');
  const observations = byNumber('x30060080');
  let points = 0;
  const regions = itemsOf(dataSet, 'x30060020').map((item): Region => {
    const attributes = new Attributes(item, 'A region of the RTSTRUCT');
    const [number = Number.NaN] = attributes.decimals('x30060022', 'ROINumber', 1);
    const name = `Region ${number} of the RTSTRUCT`;
    const drawn = contours.get(String(number));
    const observation = observations.get(String(number));
    const [code] = observation ? itemsOf(observation, 'x30060086') : [];
    const read = (drawn ? itemsOf(drawn, 'x30060040') : []).map((contour, n) => {
      const made = readContour(contour, `Contour ${n + 1} of ${name.toLowerCase()}`);
      points += made.points.length / 3;
      if (points > mostPoints) throw new AppError('image-too-large', `The RTSTRUCT has over ${mostPoints} points.`);
      return made;
    });
    return {
      number,
      label: readText(item, 'x30060026', dataSet) ?? '',
      algorithmType: attributes.text('x30060036') ?? '',
      type: code && readTerm(code),
      anatomicRegion: undefined,
      laterality: undefined,
      frameOfReferenceUid: attributes.text('x30060024') ?? '',
      contours: read,
    };
  });
  if (regions.length === 0) throw unreadable('The RTSTRUCT', 'has no StructureSetROISequence');
  if (new Set(regions.map(({ number }) => number)).size < regions.length) {
    throw unreadable('The RTSTRUCT', 'gives two regions one number');
  }
  return regions;
}

function readContour(item: DataSet, name: string): Contour {
  const attributes = new Attributes(item, name);
  const type = attributes.text('x30060042');
  if (!type) throw unreadable(name, 'has no ContourGeometricType');
  const [count = 0] = attributes.decimals('x30060046', 'NumberOfContourPoints', 1);
  return { type, points: Float64Array.from(attributes.decimals('x30060050', 'ContourData', 3 * count)) };
}
