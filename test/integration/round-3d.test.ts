import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nameFigure } from '../../extension/src/service/history-words.ts';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { initialise } from '../../server/src/engine/vectors.ts';
import type { OnEvaluated } from '../../server/src/round/candidates.ts';
import { feedOf } from '../../server/src/round/feed.ts';
import { gatherRound } from '../../server/src/round/gather.ts';
import { parseRecipe } from '../../server/src/round/recipe.ts';
import { type RoundProgress, type RunSources, runRound } from '../../server/src/round/run.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { sampleSpace } from '../../server/src/student/input.ts';
import { abstainingTeacher } from '../../server/src/uncol/teachers/generalized.ts';
import { makeShifted, planFirstRound } from '../bench/shifted-subjects.ts';
import { volumeSiteRecipe } from '../fixtures/make-site.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';

const { root, skip } = await findSampleRoot();
const engine = createOnnxEngine({ threads: 1 });

/** A round of an untrained tiny 3D student on one corrected and one other series, 6 mm. */
async function planVolumeRound() {
  const colin = await loadColin27(root);
  const { card: draft, ...plain } = JSON.parse(await volumeSiteRecipe({}));
  const subjects = (from: number) => ({ seeds: { from, to: from + 1 }, variation: 'sample' });
  const recipe = parseRecipe(
    JSON.stringify({
      ...plain,
      task: 'lesion',
      labelled: { ...subjects(0), windowsPerSubject: 4 },
      validation: subjects(9000),
      card: {
        ...draft,
        input: { ...draft.input, spacingMm: [6, 6, 6] },
        baseSet: { task: 'lesion', seeds: [30_050, 30_051] },
      },
    }),
  );
  const corrected = makeShifted(colin, 20_900);
  const approved = new Set(Array.from({ length: 30 }, (_, n) => 30 + n));
  const { plan, ...memory } = planFirstRound(7, 4, corrected, approved, [makeShifted(colin, 20_901)]);
  const weights = { file: '', sha256: '', tableHash: '' };
  const card = { ...recipe.card, weights, parent: null, notes: [], engine: '' };
  const sources: RunSources = { ...memory, colin, recipe, card, teacher: abstainingTeacher('It is one of slices.') };
  return { plan: { ...plan, unlabelledSlices: 8 }, sources, approved };
}

test('corrections of a 3D model become windows in which the approved slices are known', { skip }, async () => {
  const { plan, sources } = await planVolumeRound();
  const asked: number[] = [];
  const find = async ({ image }: { readonly image: Float32Array }) => {
    asked.push(image.length);
    return new Uint8Array(image.length).fill(1);
  };
  const data = await gatherRound(plan, sources, feedOf(sources.card), find, () => undefined);
  const [only, ...others] = data.corrected;
  assert.ok(only && others.length === 0);
  assert.ok(only.pieces.length >= 4 && only.pieces.every(({ known }) => known.includes(1) && known.includes(0)));
  // 30 slices of 2 mm are 10 of 6 mm; the corrected volume is measured whole, where it is known.
  const { grid, known } = only.judged;
  const plane = grid.size[0] * grid.size[1];
  const knownPlanes = Array.from({ length: grid.size[2] }, (_, k) => known.subarray(k * plane, (k + 1) * plane));
  assert.equal(knownPlanes.filter((of) => of.includes(1)).length, 10);
  assert.ok(data.unlabelled.length > plan.unlabelledSlices / 2, 'from both series');
  assert.equal(asked.length, 2, 'the version in service looked at both');
  assert.ok(data.replay.length > 0);
  assert.ok(
    data.judges.every(({ judged }) => judged().known.length > plane),
    'base subjects are whole',
  );
});

test('a round of a 3D model is judged on whole volumes, and resumes to the same bits', { skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-round-3d-'));
  try {
    const { plan, sources } = await planVolumeRound();
    const { architecture, input } = sources.card;
    const table = engine.table(studentOf(architecture).inferenceProgram(1, sampleSpace(input)));
    const seen: (readonly [step: number, weights: Float32Array])[] = [];
    const run = (name: string, stop?: number, of = plan) => {
      const aborter = new AbortController();
      const onProgress = ({ figures }: RoundProgress) => figures['step'] === stop && stop && aborter.abort();
      const onEvaluated: OnEvaluated = ({ step }, _, evaluated) => name === 'whole' && seen.push([step, evaluated]);
      const options = { folder: join(folder, name), onProgress, signal: aborter.signal, onEvaluated };
      return runRound(of, sources, engine, initialise(table, 3), options);
    };
    const { outcome, weights, tableHash } = await run('whole');
    assert.deepEqual([weights.length, tableHash], [table.size, table.hash]);
    assert.deepEqual(
      seen.map(([step]) => step),
      [0, ...[2, 2, 4, 4], ...[2, 2, 4, 4]],
      'the start; student and specialized teacher of both evaluations of both arms',
    );
    assert.ok(
      seen.some(([, evaluated]) => evaluated === weights),
      'the candidate is one of those evaluated',
    );
    assert.deepEqual(
      outcome.cases.map(({ subject }) => subject),
      ['base-30050', 'base-30051'],
    );
    for (const { inService, candidate } of outcome.cases)
      for (const { dice } of [inService, candidate]) assert.ok(dice >= 0 && dice <= 1);
    // The grids are little larger than a window, so there are not many different ones.
    const { labelled, replay, unlabelled } = outcome.slices;
    assert.ok(labelled >= 4 && replay >= 4 && unlabelled >= 4 && unlabelled <= 8, JSON.stringify(outcome.slices));
    const [uncol, supervised, ...others] = outcome.arms;
    assert.deepEqual([uncol?.arm, supervised?.arm, others.length], ['uncol', 'supervised', 0]);
    assert.ok((uncol?.means['groundTruth'] ?? 0) > 0 && uncol?.means['trustGeneralized'] === 0);
    assert.ok((supervised?.means['image'] ?? 0) > 0 && supervised?.means['trustSpecialized'] === undefined);
    const shown = outcome.arms.flatMap(({ means }) => Object.keys(means));
    for (const key of shown.filter((name) => !/^loss$|(CrossEntropy|Dice|Trust)$/.test(name)))
      assert.ok(nameFigure(key), `the panel has no name for ${key}`);
    assert.match(outcome.generalizedTeacher, /abstained.*It is one of slices/);

    // Steps are counted through both ways of learning: stopped in each of them.
    await assert.rejects(run('stopped', 3), { code: 'job-cancelled' });
    await assert.rejects(run('stopped', plan.steps + 3), { code: 'job-cancelled' });
    const resumed = await run('stopped');
    assert.deepEqual(resumed.weights, weights);
    assert.deepEqual(resumed.outcome, outcome);

    const corrections = plan.corrections.map((one) => ({ ...one, correctionId: randomUUID() }));
    const renamed = await run('renamed', undefined, { ...plan, roundId: randomUUID(), corrections });
    assert.deepEqual(renamed.weights, weights, 'identifiers decide nothing');
  } finally {
    await rm(folder, { recursive: true });
  }
});
