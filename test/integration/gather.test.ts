import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gatherRound, type RoundSources } from '../../server/src/round/gather.ts';
import { parseRecipe } from '../../server/src/round/recipe.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { prepareSlices } from '../../server/src/student/prepare.ts';
import { chooseApproved, makeShifted, planFirstRound } from '../bench/first-rounds-subjects.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';

const { root, skip } = await findSampleRoot();

test('slices of a corrected series that nobody vouched for count as unlabelled', { skip }, async () => {
  const colin = await loadColin27(root);
  const published = parseRecipe(
    await readFile(new URL('../../models/lesion-mr/1/recipe.json', import.meta.url), 'utf8'),
  );
  const recipe = { ...published, card: { ...published.card, baseSet: { task: 'lesion' as const, seeds: [30_050] } } };
  const corrected = makeShifted(colin, 20_900);
  const other = makeShifted(colin, 20_901);
  const approved = chooseApproved(corrected, 5);
  const { plan, ...memory } = planFirstRound(7, 1, corrected, approved, [other]);
  const card = {
    ...recipe.card,
    weights: { file: '', sha256: '', tableHash: '' },
    parent: null,
    notes: [],
    engine: '',
  };
  const sources: RoundSources = { ...memory, colin, recipe, card };
  const everything = async (images: readonly Float32Array[]) => images.map(() => true);
  const data = await gatherRound(plan, sources, everything, () => undefined);

  const text = (image: Float32Array) =>
    Buffer.from(image.buffer, image.byteOffset, image.byteLength).toString('base64');
  const prepared = prepareSlices(corrected.series.volume, card.input).images.map(text);
  const labelled = data.corrected.map((slice) => text(slice.image));
  assert.equal(labelled.length, 5);
  assert.ok(labelled.every((image) => prepared.includes(image)));
  assert.ok(data.corrected.every((slice) => slice.label.includes(1) && slice.known.includes(1)));

  const unlabelled = data.unlabelled.map(text);
  assert.equal(unlabelled.length, plan.unlabelledSlices);
  assert.equal(unlabelled.filter((image) => prepared.includes(image)).length, plan.unlabelledSlices / 2);
  assert.deepEqual(
    unlabelled.filter((image) => labelled.includes(image)),
    [],
  );
});
