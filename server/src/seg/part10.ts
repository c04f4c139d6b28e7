import { deflateRawSync } from 'node:zlib';
import { ByteWriter, type DataSet, writeDataSet } from './encode.ts';

/** Transfer syntaxes of what is written here (PS3.5 A.2, A.5, A.4.2). */
export const writtenSyntaxes = {
  native: '1.2.840.10008.1.2.1',
  deflated: '1.2.840.10008.1.2.1.99',
  rle: '1.2.840.10008.1.2.5',
} as const;

const implementationClassUid = '2.25.182735190352471680923847561029384756102';

/** Pixel Data (7FE0,0010): one run of native bytes, or an encapsulated fragment for each frame (PS3.5 A.4). */
export type PixelData =
  | { readonly vr: 'OB' | 'OW'; readonly bytes: Uint8Array }
  | { readonly fragments: readonly Uint8Array[] };

/**
 * A data set as a DICOM file (PS3.10 7), explicit little endian, text in UTF-8.
 *
 * @param pixelData stands behind the data set; its length is even, that of each fragment as well.
 * @throws AppError `series-not-writable`: an attribute does not fit its value representation.
 */
export function encodePart10(
  dataSet: DataSet,
  pixelData?: PixelData,
  syntax: keyof typeof writtenSyntaxes = 'native',
): Uint8Array {
  const head = new ByteWriter();
  head.raw(new Uint8Array(128));
  head.text('DICM');
  const meta = {
    FileMetaInformationGroupLength: 0,
    FileMetaInformationVersion: Uint8Array.of(0, 1),
    MediaStorageSOPClassUID: dataSet['SOPClassUID'],
    MediaStorageSOPInstanceUID: dataSet['SOPInstanceUID'],
    TransferSyntaxUID: writtenSyntaxes[syntax],
    ImplementationClassUID: implementationClassUid,
    ImplementationVersionName: 'UNCOL_OHIF',
  };
  const start = head.length;
  writeDataSet(head, meta);
  // The group length counts what follows its own element of twelve bytes (PS3.10 7.1).
  head.patch32(start + 8, head.length - start - 12);
  const body = syntax === 'deflated' ? new ByteWriter() : head;
  writeDataSet(body, { ...dataSet, SpecificCharacterSet: 'ISO_IR 192' });
  const pixels = pixelData ? pixelChunks(pixelData) : [];
  if (body === head) return joined([head.bytes(), ...pixels]);
  return joined([head.bytes(), evenly(deflateRawSync(joined([body.bytes(), ...pixels])))]);
}

/** The same bytes, with a NUL behind them when their number is odd. */
export function evenly(bytes: Uint8Array): Uint8Array {
  return bytes.length % 2 === 0 ? bytes : joined([bytes, Uint8Array.of(0)]);
}

/** Of the large value neither a copy nor a writer that doubles: it goes straight into the file. */
function pixelChunks(pixelData: PixelData): readonly Uint8Array[] {
  const isNative = 'bytes' in pixelData;
  const head = new ByteWriter();
  head.uint16(0x7fe0);
  head.uint16(0x0010);
  head.text(isNative ? pixelData.vr : 'OB');
  head.uint16(0);
  head.uint32(isNative ? pixelData.bytes.length : 0xffffffff);
  if (isNative) return [head.bytes(), pixelData.bytes];
  const mark = (element: number, length: number) => {
    const item = new ByteWriter();
    item.uint16(0xfffe);
    item.uint16(element);
    item.uint32(length);
    return item.bytes();
  };
  const table = new ByteWriter();
  let offset = 0;
  for (const { length } of pixelData.fragments) {
    table.uint32(offset);
    offset += 8 + length;
  }
  return [
    ...[head.bytes(), mark(0xe000, table.length), table.bytes()],
    ...pixelData.fragments.flatMap((fragment) => [mark(0xe000, fragment.length), fragment]),
    mark(0xe0dd, 0),
  ];
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** A number as a Decimal String: at most 16 characters (PS3.5 6.2), as exact as they allow. */
export function decimalString(value: number): string {
  for (let digits = 15; digits > 0; digits--) {
    const text = String(Number(value.toPrecision(digits)));
    if (text.length <= 16) return text;
  }
  return '0';
}
