import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { countOverlap, diceOf } from '../../../server/src/labelmap/metrics.ts';
import { normalisedEntropy } from '../../../server/src/labelmap/uncertainty.ts';
import type { Predict } from '../../../server/src/student/predict.ts';
import { predictWindows } from '../../../server/src/student/predict-windows.ts';
import { type PreparedVolume, prepareVolume } from '../../../server/src/student/prepare-volume.ts';
import { segmentVolume } from '../../../server/src/student/segment.ts';
import { type Geometry, indexToPatient, sameGrid, type Vec3, voxelCount } from '../../../server/src/volume/geometry.ts';
import { createVolume } from '../../../server/src/volume/volume.ts';
import { axialDirection, centredGrid, coronalDirection, sagittalDirection, turnedDirection } from '../volume/grids.ts';
import { ballVolume, idealPredict, volumeCard } from './phantom.ts';

const one = { batch: 1 };
const isFault = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

/** Noise that is content everywhere. */
function brightNoise(size: Vec3): PreparedVolume {
  const grid = centredGrid(size, [2, 2, 2], axialDirection);
  const random = new Random(9);
  return { grid, image: Float32Array.from({ length: voxelCount(grid) }, () => random.uniform(0.3, 1)) };
}

/** A network whose segments are affine in the image: class c has share c of `0.1 + 0.8 x`. Its own entropy is absurd. */
const affine =
  (shares: readonly number[]): Predict =>
  async (images, n) => {
    const voxels = images.length / n;
    const classes = shares.length + 1;
    const probabilities = new Float32Array(classes * images.length);
    for (const [m, x] of images.entries()) {
      const at = Math.floor(m / voxels) * classes * voxels + (m % voxels);
      const foreground = 0.1 + 0.8 * x;
      probabilities[at] = 1 - foreground;
      for (const [c, share] of shares.entries()) probabilities[at + (c + 1) * voxels] = share * foreground;
    }
    return { probabilities, entropy: new Float32Array(images.length).fill(77) };
  };

for (const [name, size, batch] of [
  ['smaller than the window', [9, 20, 13], 1],
  ['as large as the window', [32, 32, 32], 1],
  ['larger than the window and odd', [65, 49, 33], 3],
  ['thin in one direction', [70, 35, 3], 4],
] as const)
  test(`a network that answers an affine map of what it sees is blended without seams: ${name}`, async () => {
    const prepared = brightNoise(size);
    const shares = [0.25, 0.75];
    const sizes: number[] = [];
    const predict: Predict = (images, n) => {
      sizes.push(n);
      return affine(shares)(images, n);
    };
    const { foreground, entropy, seen } = await predictWindows(prepared, [32, 32, 32], 2, predict, { batch });
    const expected = shares.map((share) => prepared.image.map((x) => share * (0.1 + 0.8 * x)));
    const furthest = (a: Float32Array, b: Float32Array) =>
      a.reduce((most, x, n) => Math.max(most, Math.abs(x - b[n]!)), 0);
    for (const [s, field] of foreground.entries())
      assert.ok(furthest(field, expected[s]!) < 1e-6, `segment ${s}: ${furthest(field, expected[s]!)}`);
    const background = prepared.image.map((x) => 0.9 - 0.8 * x);
    const own = normalisedEntropy([background, ...expected]);
    assert.ok(furthest(entropy, own) < 1e-5, `entropy ${furthest(entropy, own)}`);
    assert.ok(seen.every((x) => x === 1));
    assert.ok(sizes.slice(0, -1).every((n) => n === batch) && sizes.at(-1)! >= 1 && sizes.at(-1)! <= batch, `${sizes}`);
  });

test('an overlap of three quarters asks more often and gives the same for an affine network', async () => {
  const prepared = brightNoise([60, 32, 32]);
  const countRuns = async (overlap: number) => {
    let runs = 0;
    const predict: Predict = (images, n) => {
      runs++;
      return affine([1])(images, n);
    };
    const { foreground } = await predictWindows(prepared, [32, 32, 32], 1, predict, { ...one, overlap });
    return { runs, first: foreground[0]!.slice(0, 60) };
  };
  const [half, more] = [await countRuns(0.5), await countRuns(0.75)];
  assert.deepEqual([half.runs, more.runs], [3, 5]);
  assert.ok(half.first.every((x, n) => Math.abs(x - more.first[n]!) < 1e-6));
});

test('windows that hold nothing but air are background and never reach the network', async () => {
  const { grid, image } = brightNoise([96, 32, 32]);
  const air = image.map((x, n) => (n % 96 < 48 ? x : 0.15 * x));
  let runs = 0;
  const predict: Predict = (images, n) => {
    runs++;
    return affine([1])(images, n);
  };
  const { foreground, entropy, seen } = await predictWindows({ grid, image: air }, [32, 32, 32], 1, predict, one);
  // Of the windows from 0, 16, 32, 48 and 64 the last two see only air.
  assert.equal(runs, 3);
  for (let n = 0; n < air.length; n++) {
    const isSeen = n % 96 < 64;
    assert.equal(seen[n], isSeen ? 1 : 0);
    assert.ok(Math.abs(foreground[0]![n]! - (isSeen ? 0.1 + 0.8 * air[n]! : 0)) < 1e-6);
    assert.equal(entropy[n]! > 0, isSeen);
  }
  const nothing = await predictWindows({ grid, image: air.map(() => 0.1) }, [32, 32, 32], 1, predict, one);
  assert.equal(runs, 3);
  assert.ok(nothing.foreground[0]!.every((x) => x === 0) && nothing.seen.every((x) => x === 0));
});

test('memory: one array of the grid for each segment and one more; all else is of the size of a batch of windows', async () => {
  const prepared = brightNoise([90, 70, 66]);
  const asked: number[] = [];
  const Whole = globalThis.Float32Array;
  const counting = new Proxy(Whole, {
    construct(target, parameters: unknown[]): object {
      if (typeof parameters[0] === 'number') asked.push(parameters[0]);
      return Reflect.construct(target, parameters);
    },
  });
  globalThis.Float32Array = counting;
  try {
    await predictWindows(prepared, [32, 32, 32], 2, affine([0.5, 0.5]), { batch: 2 });
  } finally {
    globalThis.Float32Array = Whole;
  }
  const voxels = voxelCount(prepared.grid);
  // The largest of the network's own: three classes of two windows.
  const network = 2 * 3 * 32 ** 3;
  assert.ok(network < voxels);
  assert.deepEqual(
    asked.filter((length) => length > network),
    [voxels, voxels, voxels],
  );
});

test('an answer that is not a number, or not whole, is a fault of the network', async () => {
  const prepared = brightNoise([40, 32, 32]);
  const breaks: Predict = async (images, n) => {
    const answer = await affine([1])(images, n);
    answer.probabilities[40_000] = Number.NaN;
    return answer;
  };
  await assert.rejects(predictWindows(prepared, [32, 32, 32], 1, breaks, one), isFault('engine-failed'));
  const short: Predict = async (images, n) => affine([1])(images.subarray(1), n);
  await assert.rejects(predictWindows(prepared, [32, 32, 32], 1, short, one), RangeError);
});

test('cancelling stops before the next window, and progress counts the windows', async () => {
  const { volume } = ballVolume(centredGrid([60, 60, 40], [2, 2, 2], axialDirection), [0, 0, 0], 30);
  const cancel = new AbortController();
  let runs = 0;
  const cancels: Predict = async (images, n) => {
    if (++runs === 3) cancel.abort();
    return idealPredict(images, n);
  };
  const options = { ...one, signal: cancel.signal };
  await assert.rejects(segmentVolume(volume, volumeCard, cancels, options), isFault('job-cancelled'));
  assert.equal(runs, 3);
  const seen: string[] = [];
  await segmentVolume(volume, volumeCard, idealPredict, {
    batch: 9,
    onProgress: (stage, percent) => void seen.push(`${stage} ${percent}`),
  });
  const segment = ['segment 0', 'segment 50', 'segment 100'];
  assert.deepEqual(seen, ['resample 0', 'resample 100', ...segment, 'decide 0', 'decide 100']);
});

test('a prepared volume is the whole scan along the axes of the patient', () => {
  for (const direction of [axialDirection, coronalDirection, sagittalDirection]) {
    const geometry = centredGrid([40, 40, 40], [1.5, 1.5, 1.5], direction);
    const { grid, image } = prepareVolume(ballVolume(geometry, [6, -8, 10], 12).volume, volumeCard.input);
    assert.ok(sameGrid(grid, centredGrid([30, 30, 30], [2, 2, 2], axialDirection), 1e-6));
    for (let k = 0; k < 30; k++) {
      const p = indexToPatient(grid, [17, 11, k]);
      const depth = 12 - Math.hypot(p[0] - 6, p[1] + 8, p[2] - 10);
      const x = image[(k * 30 + 11) * 30 + 17]!;
      if (Math.abs(depth) > 2.5) assert.equal(x > 0.5, depth > 0, `${p}: ${x}`);
    }
  }
});

for (const [name, geometry] of [
  ['axial 1 mm', centredGrid([90, 90, 80], [1, 1, 1], axialDirection)],
  ['sagittal, smaller than a window', centredGrid([50, 52, 20], [1, 1, 2.5], sagittalDirection)],
  ['oblique, 3 mm slices', centredGrid([90, 80, 26], [1, 1, 3], turnedDirection(0.35, -0.25, 0.5))],
] as [string, Geometry][])
  test(`a ball comes back through the windows with Dice above 0.97: ${name}`, async () => {
    const { volume, truth } = ballVolume(geometry, [2, -2, 1], 22);
    const { labelmap, uncertainty } = await segmentVolume(volume, volumeCard, idealPredict, one);
    const score = diceOf(countOverlap(labelmap.data, truth, 1));
    assert.ok(score > 0.97, `${score}`);
    assert.equal(labelmap.geometry, geometry);
    assert.ok(uncertainty > 0 && uncertainty < 0.5, `${uncertainty}`);
  });

test('a constant volume is refused by name', async () => {
  const constant = createVolume(new Int16Array(8000).fill(40), centredGrid([20, 20, 20], [2, 2, 2], axialDirection));
  await assert.rejects(segmentVolume(constant, volumeCard, idealPredict, one), isFault('series-no-contrast'));
});
