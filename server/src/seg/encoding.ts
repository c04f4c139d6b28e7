import type { writtenSyntaxes } from './part10.ts';

/** How a SEG holds its segments (PS3.3 C.8.20.2.3): a plane of bits or of shares each, or one plane of segment numbers. */
export type SegType = 'BINARY' | 'FRACTIONAL' | 'LABELMAP';

/** `rle`: each frame in run lengths; `deflated`: the whole data set. */
export type PixelEncoding = keyof typeof writtenSyntaxes;

/** SOP classes of SEGs (PS3.4 B.5). LABELMAP has one of its own. */
export const segmentationStorage = '1.2.840.10008.5.1.4.1.1.66.4';
export const labelmapStorage = '1.2.840.10008.5.1.4.1.1.66.7';

export interface SegEncoding<Type extends SegType = SegType> {
  readonly type: Type;
  readonly pixels: PixelEncoding;
}

/** What every reader of SEGs reads. */
export const plainBinary: SegEncoding<'BINARY'> = { type: 'BINARY', pixels: 'native' };

export function storageOf(type: SegType): string {
  return type === 'LABELMAP' ? labelmapStorage : segmentationStorage;
}

/**
 * Whether the standard has such objects: run lengths count bytes and are defined for pixels of 8 bits and more only
 * (PS3.5 8.2.2, annex G). Nobody decodes them on single bits: neither DCMTK nor pydicom nor Orthanc.
 */
export function isEncodable(type: SegType, pixels: PixelEncoding): boolean {
  return type !== 'BINARY' || pixels !== 'rle';
}
