import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { foreignGraphOpener } from '../../../server/src/engine/onnx/foreign.ts';
import { buildForward } from '../../../server/src/engine/onnx/programs.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { openTeacher } from '../../../server/src/registry/teachers.ts';
import { openEmbeddingFolder } from '../../../server/src/store/embeddings.ts';
import { boxesOf } from '../../../server/src/uncol/boxes.ts';
import { memoryCache } from '../../../server/src/uncol/teachers/embedding-cache.ts';
import { mapTokens, poolToKept } from '../../../server/src/uncol/teachers/feature-maps.ts';
import { absentLogit } from '../../../server/src/uncol/teachers/generalized.ts';
import type { TeacherManifest } from '../../../server/src/uncol/teachers/manifest.ts';
import { writeTinyTeacher } from '../../fixtures/tiny-teacher.ts';
import { blob, size } from './blobs.ts';

const place = await mkdtemp(join(tmpdir(), 'uncol-teacher-'));
after(() => rm(place, { recursive: true }));
const [manifests, files] = [join(place, 'manifests'), join(place, 'files')];
const open = foreignGraphOpener({ threads: 1 });
const openTiny = async (change?: (manifest: TeacherManifest) => TeacherManifest, cache = memoryCache(10)) => {
  await writeTinyTeacher(manifests, files, change);
  return openTeacher('tiny', { manifests, files, open, cache });
};
const frame = { space: [size, size] };
const isRefusal = (text: RegExp) => (error: unknown) =>
  error instanceof AppError && error.code === 'teacher-invalid' && text.test(error.message);

test('a promptable teacher finds what its box holds, and nothing of a class without a box', async () => {
  const teacher = await openTiny();
  const { image, label } = blob(3);
  const [boxes = []] = boxesOf(label, { ...frame, classes: 2 }, { margin: [0], components: 1 });
  const logits = await teacher.ask({ image, ...frame, prompts: [boxes, []] });
  assert.ok(logits);
  let [both, sum] = [0, 0];
  for (const [at, value] of label.entries()) {
    const found = (logits[at] ?? 0) > 0 ? 1 : 0;
    both += found * value;
    sum += found + value;
  }
  assert.ok((2 * both) / sum > 0.85, `Dice ${(2 * both) / sum}`);
  assert.ok(logits.subarray(size * size).every((value) => value === absentLogit));
  assert.equal(await teacher.ask({ image, ...frame, prompts: [[], []] }), null);
  await teacher.dispose();
});

test('a slice is encoded once, whatever is asked of it, and a box that hardly moved is the same prompt', async () => {
  const runs = { encoder: 0, decoder: 0 };
  const counting: typeof open = async (file, taps) => {
    const graph = await open(file, taps);
    const which = graph.inputNames.includes('image') ? 'encoder' : 'decoder';
    return {
      ...graph,
      run: (...asked) => {
        runs[which] += 1;
        return graph.run(...asked);
      },
    };
  };
  await writeTinyTeacher(manifests, files);
  const cache = await openEmbeddingFolder(join(place, 'embeddings'), 1e9);
  const { image, label } = blob(4);
  const ask = async () => {
    const teacher = await openTeacher('tiny', { manifests, files, open: counting, cache });
    const prompts = boxesOf(label, { ...frame, classes: 2 }, { margin: [0], components: 1 });
    const moved = boxesOf(label, { ...frame, classes: 2 }, { margin: [1e-4], components: 1 });
    const slice = { image, ...frame, prompts };
    const answer = await teacher.ask(slice);
    await teacher.ask({ ...slice, prompts: moved });
    const hidden = await teacher.features.hidden(slice);
    await teacher.dispose();
    return { answer, hidden: hidden.map((map) => map.slice()), prompts, moved };
  };
  const first = await ask();
  assert.deepEqual(runs, {
    encoder: 1,
    decoder: JSON.stringify(first.prompts) === JSON.stringify(first.moved) ? 1 : 2,
  });
  const { hits, misses } = cache.counts;
  assert.ok(hits > 0 && misses > 0, `${hits} hits, ${misses} misses`);
  const second = await ask();
  assert.equal(runs.encoder, 1, 'another process finds the encoding in the folder');
  assert.deepEqual(second.answer, first.answer);
  assert.deepEqual(second.hidden, first.hidden);
});

test('the folder of encodings keeps to its quota and drops what was used longest ago', async () => {
  const cache = await openEmbeddingFolder(join(place, 'small'), 10_000);
  const values = (n: number) => new Float32Array(1000).fill(n);
  for (let n = 0; n < 4; n++) {
    await cache.set(`slice ${n}`, values(n));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await cache.get('slice 0');
  await cache.set('slice 4', values(4));
  await cache.set('slice 5', values(5));
  assert.equal(await cache.get('slice 1'), undefined);
  assert.deepEqual(await cache.get('slice 0'), values(0));
  assert.deepEqual(await cache.get('slice 5'), values(5));
});

test('inner values of a graph become outputs without a change to its file', async () => {
  const program = {
    inputs: { x: [1, 4] },
    build: (ops: Parameters<Parameters<typeof buildForward>[0]['build']>[0], _: unknown, x: { x?: never }) => ({
      y: ops.exp(ops.mul(x['x']!, ops.scalar(2))),
    }),
  };
  const { bytes } = buildForward(program as Parameters<typeof buildForward>[0], 'cpu', new Float32Array());
  const plain = await open(bytes, []);
  assert.deepEqual(plain.outputNames, ['y']);
  // The graph writer counts its values: the constant is 0, the product 1.
  const graph = await open(bytes, ['v1']);
  assert.deepEqual(graph.outputNames, ['y', 'v1']);
  const { v1 } = await graph.run({ x: { data: Float32Array.of(1, 2, 3, 4), shape: [1, 4] } }, ['v1']);
  assert.deepEqual(v1, Float32Array.of(2, 4, 6, 8));
  await assert.rejects(open(bytes, ['no-such-value']), (error) => error instanceof AppError);
  await plain.dispose();
  await graph.dispose();
});

test('a teacher that is not what its manifest says is refused with the reason', async () => {
  await writeTinyTeacher(manifests, files);
  const openAs = (change: (manifest: TeacherManifest) => TeacherManifest) => openTiny(change);
  await assert.rejects(
    openTeacher('nobody', { manifests, files, open, cache: memoryCache(1) }),
    isRefusal(/no manifest/),
  );
  await assert.rejects(
    openAs((m) => ({ ...m, encoder: { ...m.encoder, sha256: '0'.repeat(64) } })),
    isRefusal(/not the file that its manifest names/),
  );
  await assert.rejects(
    openAs((m) => ({ ...m, decoder: { ...m.decoder, file: 'gone.onnx' } })),
    isRefusal(/gone.onnx of the folder teachers\/tiny is not there/),
  );
  await assert.rejects(
    openAs((m) => ({ ...m, decoder: { ...m.decoder, inputs: { ...m.decoder.inputs, points: 'clicks' } } })),
    isRefusal(/no value "clicks"/),
  );
  await assert.rejects(
    openAs((m) => ({ ...m, encoder: { ...m.encoder, embedding: { ...m.encoder.embedding, output: 'nowhere' } } })),
    isRefusal(/tiny: /),
  );
  await assert.rejects(
    openAs((m) => ({ ...m, prompt: 'click' })),
    isRefusal(/only boxes in 2D/),
  );
  const odd = await openAs((m) => ({ ...m, decoder: { ...m.decoder, mask: { ...m.decoder.mask, grid: [9, 9] } } }));
  const box = { top: 4, left: 4, bottom: 20, right: 20 };
  await assert.rejects(odd.ask({ image: blob(1).image, ...frame, prompts: [[box]] }));
  await writeTinyTeacher(manifests, files);
  const path = join(files, 'tiny', 'encoder.onnx');
  await writeFile(path, (await readFile(path)).subarray(0, 100));
  await assert.rejects(
    openTeacher('tiny', { manifests, files, open, cache: memoryCache(1) }),
    isRefusal(/not the file/),
  );
});

test('maps are pooled by blocks and looked up where each pixel of an augmented slice came from', () => {
  const big = Float32Array.from({ length: 2 * 32 * 32 }, (_, at) => at);
  const pooled = poolToKept(big, 2, [32, 32]);
  assert.equal(pooled.length, 2 * 16 * 16);
  assert.equal(pooled[0], (0 + 1 + 32 + 33) / 4);
  assert.equal(pooled[256 + 17], 1024 + (66 + 67 + 98 + 99) / 4);

  // 64 x 48 pixels, tokens of 16: the teacher's square is 64 pixels wide, a kept cell 4 pixels.
  const space = [64, 48];
  const [height, width] = [64, 48];
  const map = Float32Array.from({ length: 256 }, (_, at) => at % 16);
  const plain = mapTokens(map, { space }, 16);
  assert.deepEqual([...plain], [1.5, 5.5, 9.5, 1.5, 5.5, 9.5, 1.5, 5.5, 9.5, 1.5, 5.5, 9.5]);
  const mirrored = Int32Array.from(
    { length: height * width },
    (_, at) => at - (at % width) + (width - 1 - (at % width)),
  );
  const turned = mapTokens(map, { space, from: mirrored }, 16);
  assert.deepEqual([...turned].slice(0, 3), [9.5, 5.5, 1.5]);
  const outside = new Int32Array(height * width).fill(-1);
  assert.ok(mapTokens(map, { space, from: outside }, 16).every((value) => value === 0));
});
