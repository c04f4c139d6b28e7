import { Random } from '../../server/src/engine/random.ts';
import type { Colin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import { loadHeadCt } from '../../server/src/sample/head-ct.ts';
import { modalityOf, type SampleTask } from '../../server/src/sample/task.ts';
import { type Geometry, indexToPatient, type Vec3, voxelCount } from '../../server/src/volume/geometry.ts';
import type { Volume } from '../../server/src/volume/volume.ts';
import { partOf } from './field-of-view.ts';

/** A kind of image that a model of heads was not made for; another one for each number n from 0. */
export interface StrangeKind {
  readonly kind: string;
  readonly make: (n: number) => Volume;
}

/** An ellipsoid of one intensity along the patient's axes; one that comes later lies over those before it. */
interface Ellipsoid {
  /** LPS, mm. */
  readonly centreMm: Vec3;
  readonly halfAxesMm: Vec3;
  readonly value: number;
}

/** Of the phantoms below. */
const brainValue = 420;

/** In the spirit of Shepp and Logan, with numbers of our own: a head of shells, two ventricles and a few spots. */
const shellsOfAHead: readonly Ellipsoid[] = [
  { centreMm: [0, 0, 0], halfAxesMm: [72, 92, 105], value: 900 },
  { centreMm: [0, 0, 0], halfAxesMm: [67, 87, 100], value: 60 },
  { centreMm: [0, 0, 0], halfAxesMm: [62, 82, 95], value: brainValue },
  { centreMm: [0, -35, 0], halfAxesMm: [18, 20, 30], value: 560 },
  { centreMm: [-13, 2, 12], halfAxesMm: [6, 24, 11], value: 120 },
  { centreMm: [13, 2, 12], halfAxesMm: [6, 24, 11], value: 120 },
  { centreMm: [25, 20, -30], halfAxesMm: [12, 26, 18], value: 300 },
  { centreMm: [-10, 48, -12], halfAxesMm: [5, 4, 8], value: 680 },
  { centreMm: [0, 54, -12], halfAxesMm: [4, 4, 5], value: 680 },
  { centreMm: [9, 48, -12], halfAxesMm: [4, 7, 6], value: 680 },
];

/** An upper abdomen: fat, muscle, liver, spleen, kidneys, stomach, spine with its canal, aorta. */
const organsOfAnAbdomen: readonly Ellipsoid[] = [
  { centreMm: [0, 0, 0], halfAxesMm: [150, 105, 900], value: 700 },
  { centreMm: [0, 0, 0], halfAxesMm: [138, 93, 900], value: 330 },
  { centreMm: [-60, -12, 20], halfAxesMm: [70, 62, 70], value: 450 },
  { centreMm: [88, 28, 30], halfAxesMm: [28, 38, 50], value: 380 },
  { centreMm: [-55, 45, -45], halfAxesMm: [24, 21, 50], value: 400 },
  { centreMm: [55, 45, -40], halfAxesMm: [24, 21, 50], value: 400 },
  { centreMm: [45, -40, 10], halfAxesMm: [40, 28, 45], value: 150 },
  { centreMm: [0, 58, 0], halfAxesMm: [20, 18, 900], value: 520 },
  { centreMm: [0, 80, 0], halfAxesMm: [8, 8, 900], value: 200 },
  { centreMm: [8, 32, 0], halfAxesMm: [10, 10, 900], value: 80 },
];

/** Strides of the torn image; primes, so that every voxel is used once. */
const strides = [37, 41, 53, 61, 73] as const;

/** Every kind, for a model of `task`: in HU for one of CT. Subjects are those of the test range from 20310 on. */
export async function strangeKinds(colin: Colin27, root: string, task: SampleTask): Promise<readonly StrangeKind[]> {
  const isCt = modalityOf(task) === 'CT';
  const scanned = isCt ? inHu : (volume: Volume) => volume;
  const random = (n: number, kind: string) => Random.for(n, 'strange', kind);
  const subject = (n: number, of: SampleTask): Volume =>
    generateSubject(colin, { seed: 20310 + n, task: of, variation: 'sample', plane: 'axial', spacingMm: [2, 2, 2] })
      .volume;
  const head = (n: number) => subject(n, task);
  return [
    isCt ? { kind: 'head MR', make: (n) => subject(n, 'brain') } : partsOfCt(await loadHeadCt(root)),
    {
      kind: 'noise',
      make: (n) => {
        const draw = random(n, 'noise');
        return scanned(filled(head(n).geometry, () => 300 + 100 * draw.normal()));
      },
    },
    {
      kind: 'ball of water',
      make: (n) => {
        const draw = random(n, 'ball');
        const side = draw.uniform(50, 90);
        const ball: Ellipsoid = { centreMm: [0, 0, 0], halfAxesMm: [side, side, side], value: 600 };
        return scanned(phantom([ball], gridOf([112, 112, 96], 2), draw));
      },
    },
    {
      kind: 'torn image',
      make: (n) => {
        const { data, geometry } = head(n);
        const stride = strides[n % strides.length] ?? 1;
        return filled(geometry, (at) => data[(at * stride) % data.length] ?? 0);
      },
    },
    {
      kind: 'inverted image',
      make: (n) => {
        const { data, geometry } = head(n);
        let most = 0;
        for (const value of data) most = Math.max(most, value);
        return filled(geometry, (at) => most - (data[at] ?? 0));
      },
    },
    {
      kind: 'ellipsoids like a head',
      make: (n) => scanned(varied(shellsOfAHead, gridOf([96, 112, 112], 2), random(n, 'head'))),
    },
    {
      kind: 'ellipsoids like an abdomen',
      make: (n) => scanned(varied(organsOfAnAbdomen, gridOf([128, 96, 64], 2.5), random(n, 'abdomen'))),
    },
  ];
}

function partsOfCt(ct: Volume): StrangeKind {
  const make = (n: number): Volume => {
    const draw = Random.for(n, 'strange', 'ct');
    const place: Vec3 = [draw.next(), draw.next(), draw.next()];
    return partOf({ volume: ct, truth: new Uint8Array(ct.data.length) }, 0.8, place).volume;
  };
  return { kind: 'head CT, parts of one', make };
}

function filled(geometry: Geometry, value: (at: number) => number): Volume {
  return { geometry, data: Float32Array.from({ length: voxelCount(geometry) }, (_, at) => value(at)) };
}

/** Of a phantom: 0 becomes air, and what stands for brain has its 40 HU. */
function inHu({ geometry, data }: Volume): Volume {
  return filled(geometry, (at) => ((data[at] ?? 0) * 1040) / brainValue - 1000);
}

/** Along the patient's axes, the middle at the origin. */
function gridOf(size: Vec3, spacingMm: number): Geometry {
  const first = (count: number) => (-spacingMm * (count - 1)) / 2;
  return {
    size,
    spacingMm: [spacingMm, spacingMm, spacingMm],
    origin: [first(size[0]), first(size[1]), first(size[2])],
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  };
}

/** No two alike: each ellipsoid is moved, stretched and brightened a little. */
function varied(ellipsoids: readonly Ellipsoid[], geometry: Geometry, random: Random): Volume {
  const each = (value: Vec3, change: (x: number) => number): Vec3 => [
    change(value[0]),
    change(value[1]),
    change(value[2]),
  ];
  const drawn = ellipsoids.map(({ centreMm, halfAxesMm, value }) => ({
    centreMm: each(centreMm, (x) => x + random.normal(1.5)),
    halfAxesMm: each(halfAxesMm, (x) => x * Math.exp(random.normal(0.02))),
    value: value * Math.exp(random.normal(0.1)),
  }));
  return phantom(drawn, geometry, random);
}

/** Ellipsoids in air, with the noise of a scanner. */
function phantom(ellipsoids: readonly Ellipsoid[], geometry: Geometry, random: Random): Volume {
  const [columns, rows] = geometry.size;
  const front = ellipsoids.toReversed();
  return filled(geometry, (at) => {
    const index: Vec3 = [at % columns, Math.floor(at / columns) % rows, Math.floor(at / columns / rows)];
    const place = indexToPatient(geometry, index);
    return (front.find((ellipsoid) => holds(ellipsoid, place))?.value ?? 0) + random.normal(15);
  });
}

function holds({ centreMm, halfAxesMm }: Ellipsoid, place: Vec3): boolean {
  const along = (axis: 0 | 1 | 2) => ((place[axis] - centreMm[axis]) / halfAxesMm[axis]) ** 2;
  return along(0) + along(1) + along(2) <= 1;
}
