import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../server/src/errors/app-error.ts';
import { seesSlices } from '../../server/src/registry/card.ts';
import { hasForeground } from '../../server/src/round/draw.ts';
import { feedOf } from '../../server/src/round/feed.ts';
import { gatherRound, type RoundSources } from '../../server/src/round/gather.ts';
import { keepVolumes } from '../../server/src/round/kept-volumes.ts';
import { parseRecipe } from '../../server/src/round/recipe.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { openCacheFolder } from '../../server/src/store/cache-folder.ts';
import { prepareSlices } from '../../server/src/student/prepare.ts';
import type { PreparedVolume } from '../../server/src/student/prepare-volume.ts';
import { chooseApproved, makeShifted, planFirstRound } from '../bench/shifted-subjects.ts';
import { makeSiteFolder, type SiteCase, writeDicomCase, writeNiftiCase } from '../fixtures/make-site.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';

const { root, skip } = await findSampleRoot();

const everything = async ({ image }: PreparedVolume) => new Uint8Array(image.length).fill(1);

/** A plan on one corrected and one other series, and what it is read from. */
async function planRound() {
  const colin = await loadColin27(root);
  const published = parseRecipe(
    await readFile(new URL('../../models/lesion-mr/1/recipe.json', import.meta.url), 'utf8'),
  );
  const recipe = { ...published, card: { ...published.card, baseSet: { task: 'lesion' as const, seeds: [30_050] } } };
  const corrected = makeShifted(colin, 20_900);
  const other = makeShifted(colin, 20_901);
  const approved = chooseApproved(corrected, { lesion: 5, rest: 0 });
  const { plan, ...memory } = planFirstRound(7, 1, corrected, approved, [other]);
  const weights = { file: '', sha256: '', tableHash: '' };
  const card = { ...recipe.card, weights, parent: null, notes: [], engine: '' };
  const sources: RoundSources = { ...memory, colin, recipe, card };
  return { plan, sources, corrected };
}

test('slices of a corrected series that nobody vouched for count as unlabelled', { skip }, async () => {
  const { plan, sources, corrected } = await planRound();
  const { card } = sources;
  assert.ok(seesSlices(card));
  const data = await gatherRound(plan, sources, feedOf(card), everything, () => undefined);
  const corrections = data.corrected.flatMap(({ pieces }) => pieces);

  const text = (image: Float32Array) =>
    Buffer.from(image.buffer, image.byteOffset, image.byteLength).toString('base64');
  const prepared = prepareSlices(corrected.series.volume, card.input).images.map(text);
  const labelled = corrections.map((slice) => text(slice.image));
  assert.equal(labelled.length, 5);
  assert.ok(labelled.every((image) => prepared.includes(image)));
  assert.ok(corrections.every((slice) => slice.label.includes(1) && slice.known.includes(1)));

  const unlabelled = data.unlabelled.map(text);
  assert.equal(unlabelled.length, plan.unlabelledSlices);
  assert.equal(unlabelled.filter((image) => prepared.includes(image)).length, plan.unlabelledSlices / 2);
  assert.deepEqual(
    unlabelled.filter((image) => labelled.includes(image)),
    [],
  );
});

test('a corrected series that was deleted costs its slices, and the round only when none is left', {
  skip,
}, async () => {
  const { plan, sources } = await planRound();
  const [kept] = plan.corrections;
  assert.ok(kept);
  const deleted = { ...kept, seriesInstanceUid: '2.25.1' };
  const reading: RoundSources = {
    ...sources,
    async readSeries(series) {
      if (series.seriesInstanceUid !== deleted.seriesInstanceUid) return sources.readSeries(series);
      throw new AppError('series-not-found', 'The PACS holds no instance of the series.');
    },
  };
  const gather = (corrections: typeof plan.corrections) =>
    gatherRound({ ...plan, corrections }, reading, feedOf(sources.card), everything, () => undefined);
  const data = await gather([deleted, kept]);
  assert.deepEqual(
    data.corrected.map(({ pieces }) => pieces.length),
    [5],
  );
  assert.deepEqual(data.passedOver, { 'series-not-found': 1 });
  await assert.rejects(gather([deleted]), { code: 'round-no-corrections' });
});

test('a model made of the data of a site replays these, and goes without when they cannot be reached', {
  skip,
}, async () => {
  const { plan, sources } = await planRound();
  const folder = await makeSiteFolder();
  const of = (path: string, cases: readonly SiteCase[]): RoundSources => ({
    ...sources,
    recipe: {
      ...sources.recipe,
      labelled: { kind: 'folder', path, cases: [...cases], segments: { '1': 1 }, slicesPerSubject: 4 },
    },
  });
  try {
    const cases = [await writeNiftiCase(folder, 1, 'Doe'), await writeDicomCase(folder, 2, 'Roe')];
    const data = await gatherRound(plan, of(folder, cases), feedOf(sources.card), everything, () => undefined);
    assert.ok(data.replay.length >= 4 && data.replay.some(hasForeground));
    assert.deepEqual(data.passedOver, {});
    const gone = await gatherRound(
      plan,
      of(join(folder, 'gone'), cases),
      feedOf(sources.card),
      everything,
      () => undefined,
    );
    assert.deepEqual([gone.replay.length, gone.corrected[0]?.pieces.length], [0, 5]);
    assert.deepEqual(gone.passedOver, { 'case-unreadable': 1 });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a later round fetches no uncorrected series again, and draws the same from what was kept', { skip }, async () => {
  const { plan, sources } = await planRound();
  const folder = await mkdtemp(join(tmpdir(), 'uncol-kept-'));
  try {
    const read: string[] = [];
    const gather = async () => {
      const cache = await openCacheFolder(folder, 1e9);
      const keptVolumes = keepVolumes(cache, sources.card.input, async ({ seriesInstanceUid }) => [seriesInstanceUid]);
      const counting: RoundSources = {
        ...sources,
        keptVolumes,
        readSeries: (series) => {
          read.push(series.seriesInstanceUid);
          return sources.readSeries(series);
        },
      };
      return gatherRound(plan, counting, feedOf(sources.card), everything, () => undefined);
    };
    const first = await gather();
    const [uncorrected] = plan.unlabelled;
    assert.ok(read.includes(uncorrected?.seriesInstanceUid ?? ''));
    read.length = 0;
    const second = await gather();
    assert.deepEqual(
      read,
      plan.corrections.map(({ seriesInstanceUid }) => seriesInstanceUid),
    );
    assert.deepEqual(second.unlabelled, first.unlabelled);
  } finally {
    await rm(folder, { recursive: true });
  }
});
