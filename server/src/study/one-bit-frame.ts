import { Attributes } from './attributes.ts';
import { parsePart10, unreadable, valueBytes } from './part10.ts';

/** An object of one-bit pixels, which run on over the borders of frames (PS3.5 8.1.1). */
export interface OneBitFrames {
  readonly frames: number;
  readonly pixelsOfFrame: number;
  /** Least significant bit first. */
  readonly bits: Uint8Array;
}

/**
 * Opens a DICOM file of uncompressed one-bit pixels, such as a BINARY SEG.
 *
 * @throws AppError `instance-unreadable`: damaged, other pixels, or fewer than its frames need.
 */
export function openOneBitFrames(file: Uint8Array): OneBitFrames {
  const dataSet = parsePart10(file, 'The object');
  const read = new Attributes(dataSet, 'The object');
  const frames = Number(read.text('x00280008') ?? 1);
  const pixelsOfFrame = read.unsigned('x00280010', 'Rows', 1) * read.unsigned('x00280011', 'Columns', 1);
  const element = dataSet.elements['x7fe00010'];
  const isOneBit = dataSet.uint16('x00280100') === 1 && element !== undefined && !element.encapsulatedPixelData;
  if (!isOneBit) throw unreadable('The object', 'holds no uncompressed one-bit pixels');
  const bits = valueBytes(dataSet, element);
  if (!Number.isInteger(frames) || 8 * bits.length < frames * pixelsOfFrame) {
    throw unreadable('The object', 'holds fewer pixels than its frames need', { frames, pixelsOfFrame });
  }
  return { frames, pixelsOfFrame, bits };
}

/** Frame `number` (from 1) from the first bit of a byte on, its last byte filled up with zeros; null where there is none. */
export function cutFrame(
  { frames, pixelsOfFrame, bits }: OneBitFrames,
  number: number,
): Uint8Array<ArrayBuffer> | null {
  if (number < 1 || number > frames) return null;
  const first = (number - 1) * pixelsOfFrame;
  const cut = new Uint8Array(Math.ceil(pixelsOfFrame / 8));
  const shift = first & 7;
  for (let at = 0, from = first >> 3; at < cut.length; at++, from++) {
    cut[at] = ((bits[from] ?? 0) >> shift) | ((bits[from + 1] ?? 0) << (8 - shift));
  }
  const surplus = 8 * cut.length - pixelsOfFrame;
  if (surplus > 0) cut[cut.length - 1] = (cut[cut.length - 1] ?? 0) & (0xff >> surplus);
  return cut;
}
