import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { cardSchema } from '../../../server/src/registry/card.ts';
import { fittingVersions } from '../../../server/src/registry/choose.ts';
import type { ListedVersion } from '../../../server/src/registry/registry.ts';

const models = new URL('../../../models/', import.meta.url);
const shipped = async (name: string): Promise<ListedVersion> => {
  const trained = JSON.parse(await readFile(new URL('brain-mr/1/card.json', models), 'utf8'));
  const { card } = JSON.parse(await readFile(new URL(`${name}/1/recipe.json`, models), 'utf8'));
  const { weights, parent, notes, engine } = trained;
  return {
    card: cardSchema.parse({ ...card, weights, parent, notes, engine }),
    ...{ folder: '', origin: 'seed', inService: true },
  };
};
/** As the registry lists them: by name. */
const listed = await Promise.all(['brain-mr', 'brain-parts-mr', 'intracranial-ct', 'lesion-mr'].map(shipped));
const namesFor = (modality: string, bodyPart: string, versions = listed) =>
  fittingVersions(versions, { modality, bodyPart }).map(({ card }) => card.name);

/** The card of brain-mr under another name and for other body parts. */
const renamed = (name: string, bodyPart: string[]): ListedVersion => {
  const [first] = listed;
  assert.ok(first);
  return { ...first, card: { ...first.card, name, filter: { ...first.card.filter, bodyPart } } };
};

test('a head MR gets the whole brain unless the reader chooses, a head CT the cavity, and neither the other', () => {
  for (const bodyPart of ['HEAD', 'BRAIN', '']) {
    assert.deepEqual(namesFor('MR', bodyPart), ['brain-mr', 'brain-parts-mr', 'lesion-mr']);
    assert.deepEqual(namesFor('CT', bodyPart), ['intracranial-ct']);
  }
  assert.deepEqual(namesFor('US', 'HEAD'), []);
});

test('models of the body part come first, then those that name none, then those of others', () => {
  const versions = [renamed('a-knee', ['KNEE']), renamed('b-any', []), ...listed];
  assert.deepEqual(namesFor('MR', 'HEAD', versions), ['brain-mr', 'brain-parts-mr', 'lesion-mr', 'b-any', 'a-knee']);
  assert.deepEqual(namesFor('MR', 'KNEE', versions).slice(0, 2), ['a-knee', 'b-any']);
});

test('a version that is not in service is not offered', () => {
  const versions = listed.map((version) => ({ ...version, inService: version.card.name !== 'brain-mr' }));
  assert.deepEqual(namesFor('MR', 'HEAD', versions), ['brain-parts-mr', 'lesion-mr']);
});
