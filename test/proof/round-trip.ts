import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '../../server/src/engine/random.ts';
import type { Segment } from '../../server/src/labelmap/labelmap.ts';
import type { SegEncoding } from '../../server/src/seg/encoding.ts';
import { placeSegments } from '../../server/src/seg/place.ts';
import { readSeg } from '../../server/src/seg/read.ts';
import { type SegRequest, type WrittenSeg, writeFractionalSeg, writeSeg } from '../../server/src/seg/write.ts';
import { sliceId } from '../../server/src/study/source-series.ts';
import { indexToPatient, type Vec3 } from '../../server/src/volume/geometry.ts';
import { leanBy, probabilitiesFor, randomSegRequest, threeSegments } from '../fixtures/seg-request.ts';

/** Debian's own interpreter: only it sees Debian's python3-pydicom. */
const python = '/usr/bin/python3';
const script = fileURLToPath(new URL('../conformance/read-many-segs.py', import.meta.url));
const batch = 250;

/** What came of so many SEGs. */
export interface RoundTrip {
  readonly cases: number;
  /** Voxels that our reader saw otherwise than written, over all. */
  readonly wrongVoxels: number;
  /** SEGs whose labels pydicom saw otherwise. */
  readonly wrongForPydicom: number;
  /** Farthest that pydicom saw a frame from its source slice, mm. */
  readonly offMm: number;
}

/**
 * Writes random masks on random grids as native BINARY and in one more kind, which our reader and pydicom read back.
 */
export async function roundTrip(seed: number, cases: number, tell: (done: number) => void): Promise<RoundTrip> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-round-trip-'));
  let [wrongVoxels, wrongForPydicom, offMm] = [0, 0, 0];
  try {
    for (let first = 0; first < cases; first += batch) {
      const lines: string[] = [];
      const hashes: string[] = [];
      for (let n = first; n < Math.min(cases, first + batch); n++) {
        const request = randomRequest(seed, n);
        const { bytes } = writeSeg(request);
        const { geometry, data } = request.labelmap;
        const positions = request.source.instances.map((_, k) => indexToPatient(geometry, [0, 0, k]));
        for (const [at, written] of [bytes, writeOther(request, n).bytes].entries()) {
          wrongVoxels += countWrong(request, written);
          const path = join(folder, `${n - first}-${at}.dcm`);
          await writeFile(path, written);
          lines.push(JSON.stringify({ path, slices: request.source.instances.map(sliceId), positions }));
          hashes.push(createHash('sha256').update(data).digest('hex'));
        }
      }
      for (const [at, seen] of (await readMany(lines)).entries()) {
        if (seen.sha256 !== hashes[at]) wrongForPydicom += 1;
        offMm = Math.max(offMm, seen.offMm);
      }
      tell(Math.min(cases, first + batch));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return { cases, wrongVoxels, wrongForPydicom, offMm };
}

/** What else than native BINARY there is, in turns. */
const encodings = [
  { type: 'LABELMAP', pixels: 'native' },
  { type: 'FRACTIONAL', pixels: 'native' },
  { type: 'BINARY', pixels: 'deflated' },
  { type: 'LABELMAP', pixels: 'rle' },
  { type: 'FRACTIONAL', pixels: 'rle' },
  { type: 'LABELMAP', pixels: 'deflated' },
  { type: 'FRACTIONAL', pixels: 'deflated' },
] as const satisfies readonly SegEncoding[];

function writeOther(request: SegRequest, n: number): WrittenSeg {
  const { type, pixels } = encodings[n % encodings.length] ?? encodings[0];
  if (type !== 'FRACTIONAL') return writeSeg({ ...request, encoding: { type, pixels } });
  return writeFractionalSeg(probabilitiesFor(request, pixels));
}

/** Any orientation and handedness, spacing, size, tilt, one object a slice or frames of several, one to five segments. */
function randomRequest(seed: number, n: number): SegRequest {
  const random = Random.for(seed, 'round trip', n);
  const size: Vec3 = [3 + random.int(38), 3 + random.int(38), 3 + random.int(14)];
  const request = randomSegRequest(1000 * seed + n, size);
  const { source, labelmap } = request;
  const geometry = random.next() < 0.3 ? leanBy(labelmap.geometry, random.uniform(-30, 30)) : labelmap.geometry;
  const count = 1 + random.int(5);
  const segments = Array.from({ length: count }, (_, at): Segment => {
    const like = threeSegments[at % threeSegments.length];
    if (!like) throw new RangeError('no segment');
    return { ...like, number: at + 1, label: `segment ${at + 1}` };
  });
  const data = labelmap.data.map((label) => (label === 0 ? 0 : 1 + random.int(count)));
  const objects = 1 + random.int(3);
  const isFramed = random.next() < 0.3;
  const instances = source.instances.map((instance, k) => {
    if (!isFramed) return instance;
    const object = source.instances[k % objects] ?? instance;
    return { ...object, sopClassUid: '1.2.840.10008.5.1.4.1.1.4.1', frameNumber: source.instances.length - k };
  });
  return { ...request, source: { ...source, instances }, labelmap: { data, geometry, segments } };
}

function countWrong({ labelmap: { data, geometry, segments } }: SegRequest, bytes: Uint8Array): number {
  const classes = new Map(segments.map(({ number }) => [number, number]));
  const labels = placeSegments(readSeg(bytes), { classes, image: geometry, maxVoxels: 1e7 });
  return labels.reduce((wrong, label, at) => wrong + Number(label !== data[at]), 0);
}

/** What pydicom sees in SEGs: `script`'s lines in, one answer for each. */
export function readMany(
  lines: readonly string[],
): Promise<readonly { readonly sha256: string; readonly offMm: number }[]> {
  return new Promise((resolve, reject) => {
    const child = execFile(python, ['-W', 'ignore', script], { maxBuffer: 1e8 }, (error, stdout) => {
      if (error) reject(error);
      else
        resolve(
          stdout
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line) as { sha256: string; offMm: number }),
        );
    });
    child.stdin?.end(`${lines.join('\n')}\n`);
  });
}
