import { AppError } from '../errors/app-error.ts';
import type { Segment } from '../labelmap/labelmap.ts';
import { isSameTerm, type Structure } from '../seg/structures.ts';

/** Structures that are told apart by a card. */
export type CardSegment = Pick<Segment, 'number' | 'label' | 'type' | 'anatomicRegion' | 'laterality'>;

/** What the person who imports says of structures. */
export interface Naming {
  /** Label of a structure, or its number in the object, to the label of a segment of the card; null leaves it out. */
  readonly structures: readonly { readonly from: string; readonly to: string | null }[];
  /** Labels of segments of the card that no structure shows, because the image does not. */
  readonly absent: readonly string[];
}

/** What a structure of an object becomes. */
export interface Match {
  /** Of the structure in the object. */
  readonly number: number;
  /** Number of the segment of the card; 0: left out, as the person said. */
  readonly segment: number;
  readonly by: 'code' | 'label' | 'person';
}

/** Every structure has its segment, or what is still open. */
export interface Matching {
  readonly matches: readonly Match[];
  /** Structures that neither code, label nor person name. */
  readonly open: readonly Structure[];
  /** Numbers of segments of the card that no structure stands for and nobody calls absent. */
  readonly missing: readonly number[];
}

/**
 * Tells which segment of the card each structure is: as the person says, else by its code where code and label do not
 * name two different segments, else by its label. Several structures may be one segment. Nothing is guessed: what is left
 * is for the person to say.
 *
 * A segment of the card that nothing stands for would be taught as background, so that has to be said, too.
 *
 * @throws AppError `request-invalid`: the person names a structure or segment that is not there, or one thing twice.
 */
export function matchStructures(
  structures: readonly Structure[],
  segments: readonly CardSegment[],
  naming: Naming,
): Matching {
  const said = readNaming(structures, segments, naming);
  const found = structures.map((structure): Match | Structure => {
    const { number } = structure;
    const named = said.get(number);
    if (named !== undefined) return { number, segment: named, by: 'person' };
    const coded = segments.filter((segment) => isOfCode(structure, segment, structures));
    const labelled = segments.filter(({ label }) => plain(label) === plain(structure.label));
    const [segment] = coded.length > 0 ? coded : labelled;
    const isPlain = coded.length <= 1 && labelled.length <= 1 && (labelled[0] ?? segment) === segment;
    return segment && isPlain
      ? { number, segment: segment.number, by: coded.length > 0 ? 'code' : 'label' }
      : structure;
  });
  const matches = found.filter((one) => 'by' in one);
  const shown = new Set(matches.map(({ segment }) => segment));
  const absent = new Set(naming.absent.map((label) => segmentOf(label, segments)));
  const both = [...absent].find((number) => shown.has(number));
  if (both !== undefined) {
    throw new AppError('request-invalid', `Segment ${both} is called absent, and a structure stands for it.`);
  }
  return {
    matches,
    open: found.filter((one) => 'label' in one),
    missing: segments.map(({ number }) => number).filter((number) => !shown.has(number) && !absent.has(number)),
  };
}

/** Number of each structure that the person names, to that of its segment; 0: left out. */
function readNaming(
  structures: readonly Structure[],
  segments: readonly CardSegment[],
  naming: Naming,
): ReadonlyMap<number, number> {
  const said = new Map<number, number>();
  for (const [at, { from, to }] of naming.structures.entries()) {
    const byLabel = structures.filter(({ label }) => plain(label) === plain(from));
    const named = byLabel.length > 0 ? byLabel : structures.filter(({ number }) => String(number) === from.trim());
    // Not what was written: it may be anything.
    if (named.length === 0) throw new AppError('request-invalid', `The object has no structure of name ${at + 1}.`);
    const segment = to === null ? 0 : segmentOf(to, segments);
    for (const { number } of named) {
      if ((said.get(number) ?? segment) !== segment) {
        throw new AppError('request-invalid', `Structure ${number} is named as two different segments.`, { number });
      }
      said.set(number, segment);
    }
  }
  return said;
}

function segmentOf(label: string, segments: readonly CardSegment[]): number {
  const found = segments.find((segment) => plain(segment.label) === plain(label));
  if (found) return found.number;
  const known = segments.map((segment) => segment.label).join(', ');
  throw new AppError('request-invalid', `A segment is named that the card does not have; it has ${known}.`);
}

/** The same type and side, and the same region where both name one. */
function isOfCode(structure: Structure, segment: CardSegment, all: readonly Structure[]): boolean {
  const { type, anatomicRegion } = structure;
  if (!type || !isSameTerm(type, segment.type) || !isOfSide(structure, segment, all)) return false;
  return !anatomicRegion || !segment.anatomicRegion || isSameTerm(anatomicRegion, segment.anatomicRegion);
}

/** One side is of a segment of both only where the other side is shown, too: else that would be taught as background. */
function isOfSide({ type, laterality }: Structure, segment: CardSegment, all: readonly Structure[]): boolean {
  if (laterality === segment.laterality) return true;
  if (segment.laterality !== 'both' || laterality === undefined) return false;
  const other = laterality === 'left' ? 'right' : 'left';
  return all.some((one) => one.laterality === other && one.type && type && isSameTerm(one.type, type));
}

function plain(text: string): string {
  return text.normalize('NFC').trim().toLowerCase();
}
