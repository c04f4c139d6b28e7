import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { encodeHead, forRuns, packEnvelope, unpackEnvelope } from '../labelmap/envelope.ts';
import { type Decided, openDecided, undecided } from '../volume/carry.ts';
import { type Geometry, voxelCount } from '../volume/geometry.ts';
import { boxAround } from '../volume/interpolate.ts';

/** Where a network doubts, on its own grid: what is kept of it until a reader asks to see it, so hundredths are told to about one. */
export interface Doubt {
  /** Even. */
  readonly grid: Geometry;
  /** Normalised entropy in steps of 1/255, 0 sure .. 255 unsure, `[slice, row, column]` uint8; 0 where the network did not look. */
  readonly steps: Uint8Array;
}

const stepsOfOne = 255;

/** @param entropy normalised, `[slice, row, column]` float32 on `grid`, 0..1. */
export function keepDoubt(entropy: Float32Array, grid: Geometry): Doubt {
  const steps = new Uint8Array(entropy.length);
  // Truncation of what is not negative, half added, rounds, and faster than `Math.round`.
  for (let n = 0; n < steps.length; n++) steps[n] = stepsOfOne * entropy[n]! + 0.5;
  return { grid, steps };
}

/** Below one hundredth a map says 0, so what lies under it need not be carried over. */
const least = 0.005;

/**
 * Doubt where the reader looks: of a slice of `target` hundredths, 0 sure .. 100 unsure, `[row, column]` uint8, trilinear;
 * of use until the next call.
 */
export function mapDoubt({ grid, steps }: Doubt, target: Geometry): (slice: number) => Uint8Array {
  if (steps.length !== voxelCount(grid)) throw new RangeError(`${steps.length} steps for ${voxelCount(grid)} voxels`);
  const entropy = new Float32Array(steps.length);
  for (let n = 0; n < entropy.length; n++) entropy[n] = steps[n]! / stepsOfOne;
  const box = boxAround(grid.size, entropy, least);
  if (box === null) {
    const nothing = new Uint8Array(target.size[0] * target.size[1]);
    return () => nothing;
  }
  const codes = new Uint8Array(entropy.length);
  for (let n = 0; n < codes.length; n++) codes[n] = entropy[n]! < least ? 0 : undecided;
  return openDecided({ fields: [entropy], codes, decide: writeHundredths }, grid, target, box);
}

const writeHundredths: Decided['decide'] = (fields, out, from, end) => {
  const values = fields[0]!;
  for (let n = from; n < end; n++) out[n] = 100 * values[n]! + 0.5;
};

/** Head of a doubt that was packed: that of the reader's map, and both grids. */
interface KeptHead {
  readonly slices: readonly string[];
  readonly grid: Geometry;
  readonly source: Geometry;
}

/**
 * Envelope (see labelmap/envelope.ts) of a doubt.
 *
 * @param source grid of the labelmap.
 * @param head of the labelmap's envelope.
 */
export function packDoubt({ grid, steps }: Doubt, source: Geometry, head: { readonly slices: readonly string[] }) {
  return packEnvelope({ ...head, grid, source } satisfies KeptHead, steps);
}

/**
 * The reader's map of a doubt that {@link packDoubt} packed, packed as a labelmap is. Slice by slice: the thread is free in
 * between, and the map is never there as a whole. Versions before this one packed the map itself, which stays as it is.
 *
 * @throws the reason of `signal`.
 */
export async function packMap(packed: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
  const { head, labels: steps } = await unpackEnvelope(packed);
  if (!('grid' in (head as object))) return packed;
  const { grid, source, ...rest } = head as KeptHead;
  const sliceOf = mapDoubt({ grid, steps }, source);
  function* envelope() {
    yield encodeHead(rest);
    for (let k = 0; k < source.size[2]; k++) {
      signal?.throwIfAborted();
      // A copy, because the next slice is written over this one while it still waits.
      yield sliceOf(k).slice();
    }
  }
  const map = createGzip(forRuns);
  const [bytes] = await Promise.all([buffer(map), pipeline(Readable.from(envelope()), map)]);
  return bytes;
}
