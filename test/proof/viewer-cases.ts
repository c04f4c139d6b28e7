import { Random } from '../../server/src/engine/random.ts';
import type { Segment } from '../../server/src/labelmap/labelmap.ts';
import { deriveUid } from '../../server/src/seg/uid.ts';
import { writeSeg } from '../../server/src/seg/write.ts';
import { type SourceInstance, sliceId } from '../../server/src/study/source-series.ts';
import type { Geometry, Vec3 } from '../../server/src/volume/geometry.ts';
import { createVolume, type Volume } from '../../server/src/volume/volume.ts';
import { makeMultiFrame } from '../fixtures/make-multi-frame.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { randomGeometry, randomSegRequest, threeSegments } from '../fixtures/seg-request.ts';

/** Most segments of a case: those of `brain-parts-mr`, in whose name masks are handed in. */
const mostSegments = 6;

const orientations = ['axial', 'sagittal', 'coronal', 'oblique', 'double-oblique'] as const;

/** A series with a mask on it. */
export interface ViewerCase {
  /** What was drawn, for the message when voxels are wrong. */
  readonly label: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** In the order in which they are stored. */
  readonly files: readonly Uint8Array[];
  /** Of slice k. */
  readonly slices: readonly string[];
  readonly geometry: Geometry;
  /** `[slice, row, column]`, segment numbers. */
  readonly labels: Uint8Array;
  /** The SEG that our writer made of the mask. */
  readonly seg: Uint8Array;
  readonly segSeriesUid: string;
}

/**
 * A case drawn at random: orientation, spacing, origin, size, sign of the stored values, single frames in any order or
 * frames of one object, one to six segments of which any may be empty.
 */
export function drawCase(seed: number, n: number): ViewerCase {
  const random = Random.for(seed, 'viewer round trip', n);
  const orientation = random.pick(orientations);
  const size: Vec3 = [5 + random.int(60), 5 + random.int(60), 3 + random.int(38)];
  const geometry = drawGeometry(random, orientation, size);
  const isSigned = random.next() < 0.5;
  const isFramed = random.next() < 0.3;
  const patient = { PatientName: 'TEST^VIEWER', PatientID: `V-${seed}-${n}`, StudyDate: '20260102' };
  const source = makeSource(random, drawVolume(random, geometry, isSigned), { isSigned, isFramed, patient });
  const count = 1 + random.int(mostSegments);
  const segments = Array.from({ length: count }, (_, at): Segment => {
    const like = random.pick(threeSegments);
    return { ...like, number: at + 1, label: `segment ${at + 1}` };
  });
  const labels = drawLabels(random, size, count);
  const like = randomSegRequest(1000 * seed + n, [3, 3, 3]);
  const segSeriesUid = deriveUid('viewer seg series', source.seriesInstanceUid);
  const { bytes } = writeSeg({
    ...like,
    source: { ...like.source, ...source, header: { ...like.source.header, ...patient } },
    labelmap: { data: labels, geometry, segments },
    sopInstanceUid: deriveUid('viewer seg', source.seriesInstanceUid),
    seriesInstanceUid: segSeriesUid,
  });
  const kind = `${orientation}, ${size.join(' x ')}, ${isSigned ? 'signed' : 'unsigned'}, ${isFramed ? 'frames' : 'single'}`;
  return {
    label: `seed ${seed}, case ${n}: ${kind}, ${count} segments`,
    studyInstanceUid: source.studyInstanceUid,
    seriesInstanceUid: source.seriesInstanceUid,
    files: source.files,
    slices: source.instances.map(sliceId),
    geometry,
    labels,
    seg: bytes,
    segSeriesUid,
  };
}

/** The plane of the images, turned by nothing, about one axis of the patient, or about all; half of them left-handed. */
function drawGeometry(random: Random, orientation: (typeof orientations)[number], size: Vec3): Geometry {
  const any = randomGeometry(random, size);
  const [columnMm] = any.spacingMm;
  const spacingMm: Vec3 = random.next() < 0.3 ? [columnMm, columnMm, any.spacingMm[2]] : any.spacingMm;
  if (orientation === 'double-oblique') return { ...any, spacingMm };
  const plane = orientation === 'oblique' ? random.pick(['axial', 'sagittal', 'coronal'] as const) : orientation;
  const turn = orientation === 'oblique' ? random.uniform(-60, 60) : 0;
  const axis = random.int(3);
  const sign = random.next() < 0.5 ? 1 : -1;
  const [row, column, slice] = rightAngles[plane].map((vector) => rotate(vector, axis, turn));
  if (!row || !column || !slice) throw new RangeError('no plane');
  return { ...any, spacingMm, direction: [row, column, [sign * slice[0], sign * slice[1], sign * slice[2]]] };
}

/** Directions of rows, columns and slices as scanners write them, LPS. */
const rightAngles: Readonly<Record<'axial' | 'sagittal' | 'coronal', Geometry['direction']>> = {
  axial: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  sagittal: [
    [0, 1, 0],
    [0, 0, -1],
    [-1, 0, 0],
  ],
  coronal: [
    [1, 0, 0],
    [0, 0, -1],
    [0, 1, 0],
  ],
};

function rotate(vector: Vec3, axis: number, degrees: number): Vec3 {
  const angle = (degrees * Math.PI) / 180;
  const [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
  const turned = [...vector];
  turned[a] = (vector[a] ?? 0) * Math.cos(angle) - (vector[b] ?? 0) * Math.sin(angle);
  turned[b] = (vector[a] ?? 0) * Math.sin(angle) + (vector[b] ?? 0) * Math.cos(angle);
  return turned as unknown as Vec3;
}

function drawVolume(random: Random, geometry: Geometry, isSigned: boolean): Volume {
  const [columns, rows, slices] = geometry.size;
  const low = isSigned ? -1000 : 0;
  const data = Int16Array.from({ length: columns * rows * slices }, () => low + random.int(3000));
  return createVolume(data, geometry);
}

function makeSource(
  random: Random,
  volume: Volume,
  { isSigned, isFramed, patient }: { readonly isSigned: boolean; readonly isFramed: boolean; readonly patient: object },
) {
  const slices = volume.geometry.size[2];
  const order = shuffled(random, slices);
  const PixelRepresentation = isSigned ? 1 : 0;
  if (isFramed) {
    const made = makeMultiFrame(volume, { order, attributes: { ...patient, PixelRepresentation } });
    const instances = order.map((_, k): SourceInstance => {
      const { sopInstanceUid } = made;
      return { sopClassUid: '1.2.840.10008.5.1.4.1.1.4.1', sopInstanceUid, frameNumber: order.indexOf(k) + 1 };
    });
    return { ...made, files: [made.file], instances };
  }
  const numbers = shuffled(random, slices);
  const frameOfReferenceUid = deriveUid('viewer frame', random.next());
  const made = makeSeries(volume, {
    attributes: (k) => ({
      ...patient,
      PixelRepresentation,
      InstanceNumber: (numbers[k] ?? 0) + 1,
      FrameOfReferenceUID: frameOfReferenceUid,
    }),
  });
  const instances = made.sopInstanceUids.map(
    (sopInstanceUid): SourceInstance => ({ sopClassUid: '1.2.840.10008.5.1.4.1.1.4', sopInstanceUid }),
  );
  const files = order.flatMap((k) => made.files[k] ?? []);
  return { ...made, frameOfReferenceUid, files, instances };
}

/** Blocks of every segment, single voxels anywhere, and the corners of the grid; some slices and segments stay empty. */
function drawLabels(random: Random, [columns, rows, slices]: Vec3, count: number): Uint8Array {
  const labels = new Uint8Array(columns * rows * slices);
  for (let n = 0; n < 3 * count; n++) {
    const label = 1 + random.int(count);
    const [i, j, k] = [random.int(columns), random.int(rows), random.int(slices)];
    for (let z = k; z < Math.min(slices, k + 1 + random.int(5)); z++) {
      for (let y = j; y < Math.min(rows, j + 1 + random.int(12)); y++) {
        const first = (z * rows + y) * columns;
        labels.fill(label, first + i, first + Math.min(columns, i + 1 + random.int(12)));
      }
    }
  }
  for (let n = 0; n < 20; n++) labels[random.int(labels.length)] = 1 + random.int(count);
  if (random.next() < 0.5) {
    labels[0] = 1;
    labels[labels.length - 1] = count;
  }
  return labels;
}

function shuffled(random: Random, count: number): readonly number[] {
  const order = Array.from({ length: count }, (_, k) => k);
  for (let n = count - 1; n > 0; n--) {
    const at = random.int(n + 1);
    [order[n], order[at]] = [order[at] ?? 0, order[n] ?? 0];
  }
  return order;
}
