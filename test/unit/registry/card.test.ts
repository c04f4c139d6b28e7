import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { type Card, cardSchema, namesSides, seesSlices } from '../../../server/src/registry/card.ts';
import { parseRecipe } from '../../../server/src/round/recipe.ts';
import { sampleSpace } from '../../../server/src/student/input.ts';

const read = (name: string, file: string) =>
  readFile(new URL(`../../../models/${name}/1/${file}`, import.meta.url), 'utf8');
const shipped: object = JSON.parse(await read('brain-mr', 'card.json'));
const windows = {
  spacingMm: [2, 2, 3],
  windowVoxels: [96, 80, 48],
  intensity: { lowPercentile: 1, highPercentile: 99 },
};
const vnet = { network: 'prob-vnet-3d', variant: 'full', classes: 2, inferenceParameters: 13_940_312 };
const whereWrong = (card: object): readonly string[] => {
  const { error } = cardSchema.safeParse(card);
  return error?.issues.map((issue) => issue.path.join('.')) ?? [];
};

describe('model card', () => {
  for (const name of ['brain-mr', 'brain-parts-mr', 'brain-mr-3d', 'lesion-mr', 'intracranial-ct']) {
    it(`of ${name} is kept as it is`, async () => {
      const json: unknown = JSON.parse(await read(name, 'card.json'));
      const card: Card = cardSchema.parse(json);
      assert.deepEqual(card, json);
      assert.equal(seesSlices(card), name !== 'brain-mr-3d');
      assert.deepEqual(sampleSpace(card.input), name === 'brain-mr-3d' ? [48, 48, 48] : [112, 112]);
      const recipe = parseRecipe(await read(name, 'recipe.json'));
      const { weights: _, parent, notes, engine, familiar, ...draft } = card;
      assert.deepEqual([recipe.card, parent], [draft, null], 'its recipe makes it');
      assert.ok(notes.length > 0 && engine.startsWith('onnx'));
      assert.equal(familiar !== undefined, name !== 'lesion-mr', 'what its images look like, where there are enough');
    });
  }

  it('of a 3D model has windows', () => {
    const card = cardSchema.parse({ ...shipped, input: windows, architecture: vnet });
    assert.equal(seesSlices(card), false);
    assert.deepEqual(sampleSpace(card.input), [48, 80, 96]);
    assert.deepEqual({ input: card.input, architecture: card.architecture }, { input: windows, architecture: vnet });
  });

  it('must not mix the two', () => {
    assert.deepEqual(whereWrong({ ...shipped, input: windows }), ['input']);
    assert.deepEqual(whereWrong({ ...shipped, architecture: vnet }), ['input']);
    assert.deepEqual(whereWrong({ ...shipped, architecture: { ...vnet, network: 'prob-unet-2d', variant: 'tiny' } }), [
      'architecture.variant',
    ]);
    assert.deepEqual(whereWrong({ ...shipped, architecture: { ...vnet, network: 'other' } }), ['architecture.network']);
  });

  for (const windowVoxels of [
    [96, 80, 40],
    [96, 80, 0],
    [96, 80],
  ])
    it(`refuses windows of ${windowVoxels}: the network halves each side four times`, () => {
      const input = { ...windows, windowVoxels };
      const wrong = whereWrong({ ...shipped, input, architecture: vnet });
      assert.ok(wrong.length > 0 && wrong.every((path) => path.startsWith('input')), `${wrong}`);
    });

  it('may name a window in HU for CT, and for nothing else', () => {
    const intensity = { lowHu: -100, highHu: 200 };
    const filter = { modality: ['CT'], bodyPart: [] };
    const card = { ...shipped, input: { ...windows, intensity }, architecture: vnet, filter };
    assert.deepEqual(whereWrong(card), []);
    assert.deepEqual(whereWrong({ ...card, filter: { ...filter, modality: ['CT', 'MR'] } }), ['input.intensity']);
    const inverted = { ...windows, intensity: { lowHu: 200, highHu: -100 } };
    assert.ok(whereWrong({ ...card, input: inverted }).length > 0);
  });

  it('of a recipe must fit its network too', async () => {
    const recipe = JSON.parse(await read('brain-mr', 'recipe.json'));
    const card = { ...recipe.card, input: windows };
    const wrong = { code: 'recipe-invalid', message: /a 3D network windows/ };
    assert.throws(() => parseRecipe(JSON.stringify({ ...recipe, card })), wrong);
  });

  it('names sides where a label or a code does, and only then', () => {
    const { segments } = cardSchema.parse(shipped);
    assert.equal(namesSides(segments), false);
    assert.equal(namesSides(segments.map((row) => ({ ...row, label: 'Left kidney' }))), true);
    assert.equal(namesSides(segments.map((row) => ({ ...row, label: 'Bright cleft' }))), false);
    assert.equal(namesSides(segments.map((row) => ({ ...row, laterality: 'left' }))), true);
    assert.equal(namesSides(segments.map((row) => ({ ...row, laterality: 'both' }))), false);
    const type = { value: '18639004', scheme: 'SCT', meaning: 'Left kidney' };
    assert.equal(namesSides(segments.map((row) => ({ ...row, type }))), true);
  });
});
