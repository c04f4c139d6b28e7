import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createFrameDecoder } from '../../server/src/study/frame-decoder.ts';
import { type JudgedSyntax, judgeSyntaxes, untried } from '../fixtures/syntaxes.ts';
import { skipWithout } from '../fixtures/validators.ts';

const skip = skipWithout('python3', 'dcmcjpeg', 'gdcmconv', 'opj_compress', 'ojph_compress');

let folder: string;
let judged: readonly JudgedSyntax[] = [];
before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), 'uncol-syntaxes-'));
  const decoder = createFrameDecoder();
  try {
    judged = await judgeSyntaxes(folder, decoder);
  } finally {
    await decoder.close();
  }
});
after(() => folder && rm(folder, { recursive: true }));

test('every syntax that is read was tried, by 141 images of the encoders of others', { skip }, () => {
  assert.deepEqual(untried(judged), []);
  // Fewer: an encoder was left out, or does no longer what it did.
  assert.equal(judged.length, 141);
});

test('what dcmtk, gdcm, OpenJPEG and OpenJPH encode is read as they mean it, voxel by voxel', { skip }, () => {
  assert.deepEqual(
    judged.filter(({ isWrong }) => isWrong),
    [],
  );
});
