import { AppError } from '../errors/app-error.ts';
import { hasEndMarker, readComponentSize, readJpegPrecision } from './codestream.ts';
import { compressedBytes } from './fragments.ts';
import type { CodecName, FrameDecoder } from './frame-decoder.ts';
import type { FrameFormat, ImageObject } from './image-object.ts';
import { type Element, unreadable, valueBytes } from './part10.ts';
import { maskToStoredBits, type StoredRange, type StoredValues, storedRange, widenSamples } from './samples.ts';

/** Stored values of one frame, `[row, column]`, before rescale. */
export interface StoredSlice {
  readonly values: StoredValues;
  /** Of the values that are not padding. */
  readonly range: StoredRange;
  /** 1 where the value is the padding value or in its range; absent when no voxel is. */
  readonly padding?: Uint8Array;
  /** Bytes after the pixels that were ignored (more than the one pad byte). */
  readonly surplusBytes: number;
}

const bigEndian = '1.2.840.10008.1.2.2';

interface Syntax {
  readonly name: string;
  /** Null for native pixels. */
  readonly codec: CodecName | null;
  /** Whether what was encoded may come back changed. */
  readonly isLossy?: true;
}

/** What is read (PS3.5 A.1 to A.5, PS3.6 A-1), by UID. */
export const transferSyntaxes: ReadonlyMap<string, Syntax> = new Map<string, Syntax>([
  ['1.2.840.10008.1.2', { name: 'Implicit VR Little Endian', codec: null }],
  ['1.2.840.10008.1.2.1', { name: 'Explicit VR Little Endian', codec: null }],
  ['1.2.840.10008.1.2.1.99', { name: 'Deflated Explicit VR Little Endian', codec: null }],
  [bigEndian, { name: 'Explicit VR Big Endian', codec: null }],
  ['1.2.840.10008.1.2.5', { name: 'RLE Lossless', codec: 'decodeRle' }],
  ['1.2.840.10008.1.2.4.50', { name: 'JPEG Baseline (8 bit)', codec: 'decodeJpeg', isLossy: true }],
  ['1.2.840.10008.1.2.4.51', { name: 'JPEG Extended (12 bit)', codec: 'decodeJpeg', isLossy: true }],
  ['1.2.840.10008.1.2.4.57', { name: 'JPEG Lossless', codec: 'decodeJpeg' }],
  ['1.2.840.10008.1.2.4.70', { name: 'JPEG Lossless, First-Order Prediction', codec: 'decodeJpeg' }],
  ['1.2.840.10008.1.2.4.80', { name: 'JPEG-LS Lossless', codec: 'decodeJpegLs' }],
  ['1.2.840.10008.1.2.4.81', { name: 'JPEG-LS Near-lossless', codec: 'decodeJpegLs', isLossy: true }],
  ['1.2.840.10008.1.2.4.90', { name: 'JPEG 2000 Lossless', codec: 'decodeJpeg2000' }],
  ['1.2.840.10008.1.2.4.91', { name: 'JPEG 2000', codec: 'decodeJpeg2000', isLossy: true }],
  ['1.2.840.10008.1.2.4.201', { name: 'High-Throughput JPEG 2000 Lossless', codec: 'decodeHtJpeg2000' }],
  ['1.2.840.10008.1.2.4.202', { name: 'High-Throughput JPEG 2000 RPCL Lossless', codec: 'decodeHtJpeg2000' }],
  ['1.2.840.10008.1.2.4.203', { name: 'High-Throughput JPEG 2000', codec: 'decodeHtJpeg2000', isLossy: true }],
]);

/**
 * The stored values of an image: decompressed, reduced to BitsStored, sign-extended, padding marked. While the decoder is
 * `ready`, the bytes of the object are read before this returns, and may change then.
 *
 * @param room where the values are put, two bytes each at an even address; room of their own when absent.
 * @throws AppError `transfer-syntax-unsupported`
 * @throws AppError `instance-unreadable`: too few bytes, a frame cut off, or one that does not decode in time.
 */
export async function decodeSlice(
  image: ImageObject,
  decoder: FrameDecoder,
  room?: Uint8Array<ArrayBuffer>,
): Promise<StoredSlice> {
  const { transferSyntaxUid } = image;
  const element = image.dataSet.elements['x7fe00010'];
  if (element === undefined) throw unreadable(image.name, 'has no PixelData');
  const syntax = transferSyntaxes.get(transferSyntaxUid);
  if (syntax === undefined) {
    throw new AppError('transfer-syntax-unsupported', `${image.name} is compressed by ${transferSyntaxUid}.`, {
      transferSyntaxUid,
    });
  }
  const { codec } = syntax;
  if (codec !== null) {
    return decompress(image, element, { ...syntax, codec }, decoder, (decoded) => toStored(image, decoded, room));
  }
  const bytes = nativeBytes(image, element);
  const isBigEndian = transferSyntaxUid === bigEndian;
  // In big-endian files 8-bit samples may stand in 16-bit words, then each pair is swapped (PS3.5 8.1.1).
  const swapped = isBigEndian && (image.format.bitsAllocated === 16 || element.vr === 'OW');
  return toStored(image, { bytes, format: image.format, overshoots: false, swapped }, room);
}

function toStored(image: ImageObject, decoded: Decoded, given: Uint8Array<ArrayBuffer> | undefined): StoredSlice {
  const { format } = image;
  const count = format.rows * format.columns;
  const expected = (count * format.bitsAllocated) / 8;
  if (decoded.bytes.length < expected) {
    throw unreadable(image.name, `has ${decoded.bytes.length} bytes of pixels where ${expected} are needed`);
  }
  const surplus = decoded.bytes.length - expected;
  const layout = {
    bitsAllocated: format.bitsAllocated,
    signed: decoded.format.signed,
    swapped: decoded.swapped,
    count,
  };
  const room = given ?? new Uint8Array(2 * count);
  const samples = widenSamples(decoded.bytes.subarray(0, expected + (expected & 1)), layout, room);
  const { values, padding } = maskToStoredBits(samples, decoded.format, format, image.paddingRange, decoded.overshoots);
  if (values === undefined) {
    throw unreadable(image.name, 'has negative pixels in its codestream although PixelRepresentation is 0');
  }
  const range = storedRange(values, padding);
  return { values, range, ...(padding ? { padding } : {}), surplusBytes: surplus > 1 ? surplus : 0 };
}

function nativeBytes(image: ImageObject, element: Element): Uint8Array {
  if (element.fragments !== undefined) {
    throw unreadable(image.name, `has encapsulated pixels in the native syntax ${image.transferSyntaxUid}`);
  }
  const bytes = valueBytes(image.dataSet, element);
  if (image.frameNumber === undefined) return bytes;
  const { rows, columns, bitsAllocated } = image.format;
  const frameBytes = (rows * columns * bitsAllocated) / 8;
  return bytes.subarray((image.frameNumber - 1) * frameBytes, image.frameNumber * frameBytes);
}

interface Decoded {
  readonly bytes: Uint8Array;
  /** Bytes of each 16-bit word stand in big-endian order. */
  readonly swapped: boolean;
  /** Format of the decoded samples: as declared, or as the codestream says. */
  readonly format: FrameFormat;
  /** Whether samples may lie beyond BitsStored: of what was lossy JPEG 2000, and JPEG or JPEG-LS of more bits. */
  readonly overshoots: boolean;
}

async function decompress(
  image: ImageObject,
  element: Element,
  { codec, isLossy = false }: { readonly codec: CodecName; readonly isLossy?: boolean },
  decoder: FrameDecoder,
  use: (decoded: Decoded) => StoredSlice,
): Promise<StoredSlice> {
  const bytes = compressedBytes(image, element);
  if (codec !== 'decodeRle' && !hasEndMarker(bytes)) throw unreadable(image.name, 'has a frame without its end marker');
  const format = codestreamFormat(image.format, codec, bytes);
  const isJpeg2000 = codec === 'decodeJpeg2000' || codec === 'decodeHtJpeg2000';
  const overshoots = isLossy && (isJpeg2000 || (readJpegPrecision(bytes) ?? 0) > format.bitsStored);
  const attributes = {
    width: format.columns,
    height: format.rows,
    bitsAllocated: format.bitsAllocated,
    bitsStored: format.bitsStored,
    samplesPerPixel: 1,
    pixelRepresentation: format.signed ? 1 : 0,
    planarConfiguration: 0,
    photometricInterpretation: format.photometricInterpretation,
  } as const;
  try {
    return await decoder.decode({ codec, attributes, bytes }, (samples) =>
      use({ bytes: samples, format, overshoots, swapped: false }),
    );
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw unreadable(
      image.name,
      'has a frame that does not decode',
      { transferSyntaxUid: image.transferSyntaxUid },
      cause,
    );
  }
}

/** JPEG 2000 states sign and precision itself; when they contradict the attributes, the codestream is right. */
function codestreamFormat(format: FrameFormat, codec: CodecName, bytes: Uint8Array): FrameFormat {
  if (codec === 'decodeRle') return format;
  const aligned = { ...format, highBit: format.bitsStored - 1 };
  const size = codec === 'decodeJpeg2000' || codec === 'decodeHtJpeg2000' ? readComponentSize(bytes) : undefined;
  if (size === undefined || size.precisionBits > format.bitsAllocated) return aligned;
  return { ...aligned, signed: size.signed, bitsStored: size.precisionBits, highBit: size.precisionBits - 1 };
}
