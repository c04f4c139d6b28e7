import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Model } from '../../../extension/src/api/contract.ts';
import { pickModel } from '../../../extension/src/service/state.ts';
import { describeSegments, describeStoring, nameModel } from '../../../extension/src/service/words.ts';

test('only while the server tries does the receipt say that it keeps trying', () => {
  assert.deepEqual(describeStoring({ state: 'stored', error: null }), []);
  assert.match(describeStoring({ state: 'storing', error: null }).join(' '), /keeps trying/);
  const error = { code: 'series-not-found', message: 'The series is gone.', hint: 'Check the UIDs.' };
  const failed = describeStoring({ state: 'failed', error }).join(' ');
  assert.match(failed, /has stopped trying.*The series is gone\. Check the UIDs\..*administrator/);
  assert.doesNotMatch(failed, /keeps trying/);
});

const model = (name: string, title: string, labels: readonly string[]): Model => ({
  ...{ name, title, version: 1, sha256: '', inService: true, trainedFor: '', modality: ['MR'], notes: [] },
  ...{ dimension: '2d' as const, parameters: { inference: 1 }, parent: null, engine: 'onnx-cpu', lineage: null },
  segments: labels.map((label, n) => ({ number: n + 1, label, colour: [0, 0, 0] })),
});

test('models are told apart by title, and by name where a title is shared', () => {
  const [brain, volume, parts] = [
    model('brain-mr', 'Brain on MR', ['brain']),
    model('brain-mr-3d', 'Brain on MR', ['brain']),
    model('brain-parts-mr', 'Parts of the brain on MR', ['thalamus', 'putamen', 'cerebellum']),
  ];
  const offered = [brain, volume, parts];
  assert.deepEqual(
    offered.map((one) => nameModel(one, offered)),
    ['Brain on MR (brain-mr)', 'Brain on MR (brain-mr-3d)', 'Parts of the brain on MR'],
  );
  assert.equal(nameModel(brain, [brain, parts]), 'Brain on MR');
});

test('the reader is told what a model draws before it does', () => {
  assert.equal(describeSegments(model('a', '', ['brain'])), 'Draws: brain.');
  assert.equal(
    describeSegments(model('a', '', ['thalamus', 'putamen', 'cerebellum'])),
    'Draws: thalamus, putamen and cerebellum.',
  );
});

test('the first of the offered models is used until the reader chooses, and again when that one is gone', () => {
  const offered = [model('brain-mr', '', []), model('lesion-mr', '', [])];
  assert.equal(pickModel(offered, null), 'brain-mr');
  assert.equal(pickModel(offered, 'lesion-mr'), 'lesion-mr');
  assert.equal(pickModel(offered, 'gone'), 'brain-mr');
  assert.equal(pickModel([], 'lesion-mr'), null);
});
