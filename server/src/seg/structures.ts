import type { Segment } from '../labelmap/labelmap.ts';
import { Attributes } from '../study/attributes.ts';
import { readText } from '../study/header.ts';
import { type DataSet, itemsOf, unreadable } from '../study/part10.ts';
import { lateralities, type Term } from './codes.ts';
import { currentTerm } from './retired-codes.ts';

/** A structure that an object of any writer shows: a segment of a SEG, a region of interest of an RTSTRUCT. */
export interface Structure {
  /** Its number in the object. */
  readonly number: number;
  /** As written, free text of whoever made it: to be shown to the person who asks, never kept or logged. */
  readonly label: string;
  /** `AUTOMATIC`, `SEMIAUTOMATIC` or `MANUAL`; empty when it is missing. */
  readonly algorithmType: string;
  /** What it is, in SNOMED CT where it was in SNOMED RT; undefined when it is not coded. */
  readonly type: Term | undefined;
  readonly anatomicRegion: Term | undefined;
  readonly laterality: Segment['laterality'];
}

/** Code of the background of a LABELMAP, which is no structure. */
const background = { value: '125040', scheme: 'DCM' };

/**
 * What is described as a structure, and not as background.
 *
 * @throws AppError `instance-unreadable`: nothing is.
 */
export function structuresAmong(segments: readonly Structure[]): readonly Structure[] {
  const found = segments.filter(({ type }) => !(type && isSameTerm(type, background)));
  if (found.length === 0) throw unreadable('The SEG', 'describes no segment');
  return found;
}

/**
 * One segment of a SEG with its codes (PS3.3 C.8.20.4).
 *
 * @param least number that a segment may have: 0 of a LABELMAP, else 1.
 * @throws AppError `instance-unreadable`
 */
export function readSegment(item: DataSet, parent: DataSet, least: number): Structure {
  const [type] = itemsOf(item, 'x0062000f');
  const [region] = itemsOf(item, 'x00082218');
  const modifiers = [
    ...(type ? itemsOf(type, 'x00620011') : []),
    ...(region ? itemsOf(region, 'x00082220') : []),
  ].flatMap((modifier) => readTerm(modifier) ?? []);
  const attributes = new Attributes(item, 'A segment of the SEG');
  return {
    number: attributes.unsigned('x00620004', 'SegmentNumber', least),
    label: readText(item, 'x00620005', parent) ?? '',
    algorithmType: attributes.text('x00620008') ?? '',
    type: type && readTerm(type),
    anatomicRegion: region && readTerm(region),
    laterality: sides.find((side) => modifiers.some((modifier) => isSameTerm(modifier, lateralities[side]))),
  };
}

const sides = ['left', 'right', 'both'] as const;

/**
 * The code of an item (PS3.3 8.8), short, long, or a URN, of a retired scheme its successor; undefined where one of its parts
 * is missing.
 */
export function readTerm(item: DataSet): Term | undefined {
  const read = new Attributes(item, 'A code');
  const value = read.text('x00080100') || read.text('x00080119') || read.text('x00080120');
  const scheme = read.text('x00080102');
  return value && scheme ? currentTerm({ value, scheme }) : undefined;
}

export function isSameTerm(a: Term, b: Term): boolean {
  return a.value === b.value && a.scheme === b.scheme;
}
