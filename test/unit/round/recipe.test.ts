import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { parseRecipe, resolveFolders, withoutPatients } from '../../../server/src/round/recipe.ts';

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

test('the shipped recipes are valid', async () => {
  for (const name of ['brain-mr', 'lesion-mr']) assert.equal(parseRecipe(await shipped(name)).card.name, name);
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
