import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { AppError } from '../errors/app-error.ts';

/** Largest head accepted: 3,000 slices of 64-character UIDs, twice, with room. */
const longestHead = 1 << 20;

/** A head, which is not judged here, and labels. */
export interface Envelope {
  readonly head: unknown;
  readonly labels: Uint8Array;
}

/**
 * Labels with a head, as sent on the wire (see `labelmapHead` of the contract) and kept in blobs, before gzip: four
 * bytes little-endian length of the JSON head, the head as UTF-8, the labels.
 */
export function encodeEnvelope(head: unknown, labels: Uint8Array): Uint8Array {
  const start = encodeHead(head);
  const bytes = new Uint8Array(start.length + labels.length);
  bytes.set(start);
  bytes.set(labels, start.length);
  return bytes;
}

/** What stands before the labels in {@link encodeEnvelope}. */
export function encodeHead(head: unknown): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  return bytes;
}

/**
 * The inverse of {@link encodeEnvelope}.
 *
 * @throws AppError `request-invalid`: cut short, or the head is not JSON.
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length < 4) throw new AppError('request-invalid', `The labelmap has only ${bytes.length} bytes.`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  if (length > longestHead || 4 + length > bytes.length) {
    throw new AppError('request-invalid', `The labelmap's head says ${length} bytes; there are ${bytes.length - 4}.`);
  }
  try {
    const head: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(4, 4 + length)));
    return { head, labels: bytes.subarray(4 + length) };
  } catch (cause) {
    throw new AppError('request-invalid', "The labelmap's head is not JSON.", {}, { cause });
  }
}

/** For gzip: a mask is runs of one label, and to look for nothing else halves size and time. */
export const forRuns = { level: 1, strategy: constants.Z_RLE, chunkSize: 1 << 18 } as const;

/** {@link encodeEnvelope} and gzip. */
export function packEnvelope(head: unknown, labels: Uint8Array): Promise<Uint8Array> {
  return promisify(gzip)(encodeEnvelope(head, labels), forRuns);
}

/** The inverse of {@link packEnvelope}, for what this server has packed. */
export async function unpackEnvelope(packed: Uint8Array): Promise<Envelope> {
  return decodeEnvelope(await promisify(gunzip)(packed, { chunkSize: pieceOf(packed) }));
}

/** Sizes of the pieces that gzip is inflated in: by fewer bytes a volume takes many times as long. */
const [leastPiece, largestPiece] = [1 << 20, 1 << 26];

/**
 * For the inflation of gzip: so many bytes that most masks become one piece, which need not be joined. The last four bytes
 * tell the size, but whoever sends them may say anything.
 */
export function pieceOf(packed: Uint8Array): number {
  const told =
    packed.length < 4 ? 0 : new DataView(packed.buffer, packed.byteOffset + packed.length - 4).getUint32(0, true);
  // Deflate makes of a byte at most 1032.
  return Math.max(leastPiece, Math.min(largestPiece, told + 1, 1032 * packed.length));
}
