import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import type { Engine } from '../../server/src/engine/ops.ts';
import { availableThreads } from '../../server/src/engine/threads.ts';
import { fromHalf } from '../../server/src/engine/vectors.ts';
import { judge, leastGateCases } from '../../server/src/promotion/gate.ts';
import { type SliceCard, seesSlices } from '../../server/src/registry/card.ts';
import type { GeneratorSplit } from '../../server/src/round/data/sources.ts';
import { hasForeground } from '../../server/src/round/draw.ts';
import { stackSlices } from '../../server/src/round/labelled-volume.ts';
import { Measure } from '../../server/src/round/measure.ts';
import { parseRecipe, type Recipe } from '../../server/src/round/recipe.ts';
import { runRound } from '../../server/src/round/run.ts';
import { interval95, meanOf } from '../../server/src/round/statistics.ts';
import { train } from '../../server/src/round/train.ts';
import { type Colin27, loadColin27 } from '../../server/src/sample/colin27.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import type { LabelledSlice } from '../../server/src/uncol/feed.ts';
import { abstainingTeacher } from '../../server/src/uncol/teachers/generalized.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import {
  chooseApproved,
  makeShifted,
  otherSlices,
  planFirstRound,
  type ShiftedSubject,
} from './first-rounds-subjects.ts';
import { pseudoGradientNorm } from './pseudo-gradient.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';
import { servedDice } from './served-dice.ts';

const student = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 });
const sizePx = [128, 128] as const;
const approvedSlices = { lesion: 3, rest: 2 };

/** Seeds of the reported runs. Learning rates, steps and the like were chosen on others (11: see `about`). */
export const reportedSeeds = [11, 12, 13, 14, 15];

interface Settings {
  /** Steps of `uncol train` that make the first version. */
  readonly baseSteps: number;
  readonly roundSteps: number;
  /** Rounds from the first version of a seed, each on another corrected subject. */
  readonly rounds: number;
}
const settings: Settings = { baseSteps: 600, roundSteps: 200, rounds: 2 };

/** Training subjects, and subjects of the other scanner; no two seeds share any. */
function subjectsOf(seed: number) {
  return {
    labelled: { from: 500 + 12 * seed, to: 511 + 12 * seed },
    shifted: [0, 1, 2, 3, 4].map((n) => 20_200 + 10 * seed + n),
  };
}

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const { root } = await findSampleRoot();
  if (root === '') throw new Error('the sample packages cannot be fetched');
  const colin = await loadColin27(root);
  const engine = createOnnxEngine({ threads: availableThreads().count });
  const rows: Row[] = [];
  for (const seed of reportedSeeds) {
    const folder = await mkdtemp(join(tmpdir(), 'uncol-bench-'));
    try {
      for await (const row of runSeed(seed, settings, { folder, colin, engine })) {
        rows.push(row);
        tell(JSON.stringify(row));
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return rows;
}

interface Place {
  /** First version and round checkpoints are kept here. */
  readonly folder: string;
  readonly colin: Colin27;
  readonly engine: Engine;
}

interface FirstVersion {
  readonly seed: number;
  readonly recipe: Recipe;
  readonly card: SliceCard;
  readonly weights: Float32Array;
}

/** A first version, and rounds that start from it. */
export async function* runSeed(seed: number, { baseSteps, roundSteps, rounds }: Settings, place: Place) {
  const { labelled, shifted } = subjectsOf(seed);
  const recipe = await recipeOf(seed, labelled, baseSteps, place.engine);
  const card = await train(recipe, place);
  if (!seesSlices(card)) throw new RangeError('a model of slices is wanted');
  const weights = fromHalf(await readFile(join(place.folder, card.weights.file)));
  const subjects = shifted.map((subject) => makeShifted(place.colin, subject));
  for (const [at, corrected] of subjects.slice(0, rounds).entries()) {
    const uncorrected = subjects.filter((subject) => subject !== corrected);
    const row = await runFirstRound({ seed, recipe, card, weights }, corrected, uncorrected, roundSteps, {
      ...place,
      folder: join(place.folder, `round-${at}`),
    });
    yield { seed, subject: shifted[at] ?? 0, ...row };
  }
}

async function runFirstRound(
  { seed, recipe, card, weights: inService }: FirstVersion,
  corrected: ShiftedSubject,
  uncorrected: readonly ShiftedSubject[],
  steps: number,
  { folder, colin, engine }: Place,
): Promise<Row> {
  const approved = chooseApproved(corrected, approvedSlices);
  const { plan, ...memory } = planFirstRound(seed, steps, corrected, approved, uncorrected);
  const sources = { ...memory, colin, card, recipe, teacher: abstainingTeacher('') };
  const pseudoGradient = await pseudoGradientNorm(plan, sources, engine, inService);
  const started = performance.now();
  const { outcome, weights } = await runRound(plan, sources, engine, inService, {
    folder,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  const roundSeconds = (performance.now() - started) / 1000;
  const evidence = { ...outcome, isInService: outcome.chosen.source === 'in-service' };
  const labels = card.segments.map(({ label }) => label);
  const verdict = judge(evidence, card.gate, labels);
  const { volume, instances } = corrected.series;
  const slices = new Set([...instances.keys()].filter((k) => !approved.has(k)));
  const served = (version: Float32Array) =>
    servedDice(engine, card, version, [{ volume, truth: corrected.truth, slices }]);
  const lesion = otherSlices(corrected, approved, card.input).filter(hasForeground);
  const [lesionBefore, lesionAfter] = await networkDice(engine, card, [inService, weights], lesion);
  return {
    before: round(await served(inService)),
    after: round(await served(weights)),
    baseBefore: round(verdict.inServiceDice),
    baseAfter: round(verdict.candidateDice),
    lesionBefore: round(lesionBefore),
    lesionAfter: round(lesionAfter),
    verdict: verdict.passed ? 'promoted' : 'refused',
    chosen: [outcome.chosen.arm, outcome.chosen.source, outcome.chosen.step].filter((part) => part !== null).join(' '),
    trust: round(outcome.arms.find(({ arm }) => arm === 'uncol')?.means['trustSpecialized']),
    pseudoGradient: round(pseudoGradient),
    roundSeconds: round(roundSeconds, 1),
  };
}

function round(value = Number.NaN, digits = 4): number {
  return Number(value.toFixed(digits));
}

/** The recipe of lesion-mr with other subjects, the lite student and 128 x 128 slices; half of the slices hold no lesion. */
async function recipeOf(seed: number, seeds: GeneratorSplit['seeds'], steps: number, engine: Engine) {
  const file = new URL('../../models/lesion-mr/1/recipe.json', import.meta.url);
  const published = parseRecipe(await readFile(file, 'utf8'));
  const inferenceParameters = engine.table(student.inferenceProgram(1, [sizePx[1], sizePx[0]])).size;
  return parseRecipe(
    JSON.stringify({
      ...published,
      seed,
      labelled: { ...published.labelled, seeds, slicesPerSubject: 40 },
      validation: { ...published.validation, slicesPerSubject: 40 },
      test: { seeds: { from: 20_100, to: 20_100 } },
      stage1: { ...published.stage1, steps, learningRate: 2e-3 },
      card: {
        ...published.card,
        input: { ...published.card.input, sizePx },
        architecture: { ...published.card.architecture, variant: 'lite', inferenceParameters },
        baseSet: { ...published.card.baseSet, seeds: published.card.baseSet.seeds.slice(0, leastGateCases) },
      },
    }),
  );
}

/** Dice of the network's own answer under each of some weights. */
async function networkDice(
  engine: Engine,
  card: SliceCard,
  versions: readonly Float32Array[],
  slices: readonly LabelledSlice[],
): Promise<readonly number[]> {
  const measure = await Measure.create(engine, card);
  const volume = stackSlices(slices, { size: [...sizePx, slices.length], spacingMm: card.input.spacingMm });
  try {
    const dice: number[] = [];
    for (const weights of versions) dice.push(await measure.dice(weights, volume));
    return dice;
  } finally {
    await measure.dispose();
  }
}

function report(rows: readonly Row[]): string {
  const promoted = rows.filter((row) => row['verdict'] === 'promoted');
  const losses = promoted.map((row) => Number(row['baseBefore']) - Number(row['baseAfter']));
  const better = rows.filter((row) => Number(row['after']) > Number(row['before'])).length;
  const columns = Object.keys(rows[0] ?? {});
  const largestLoss = `the largest loss of a promoted version on the base set is ${(100 * Math.max(0, ...losses)).toFixed(1)} points of Dice, the mean change ${signed(-meanOf(losses))}`;
  return `${table(
    columns,
    rows.map((row) => columns.map((key) => String(row[key]))),
  )}

- Gain on the other slices of the corrected subject, as served: ${describeGain(rows, 'before', 'after')}; better in ${better} of ${rows.length} rounds. Where a refused round counts as no gain: ${describeGain(rows, 'before', 'after', (row) => row['verdict'] === 'promoted')}.
- The network's own answer on those of them that hold the lesion: ${describeGain(rows, 'lesionBefore', 'lesionAfter')}.
- Promoted: ${promoted.length} of ${rows.length}${promoted.length > 0 ? `; ${largestLoss}` : ''}.
- Trust rate of the specialized teacher ${Math.min(...numbersOf(rows, 'trust'))} or more; gradient of the unlabelled term alone ${Math.min(...numbersOf(rows, 'pseudoGradient'))} or more.
- Longest round: ${Math.max(...numbersOf(rows, 'roundSeconds'))} s.`;
}

/** Mean and 95 % interval over seeds; rounds of one seed share their first version, so their mean counts once. */
function describeGain(
  rows: readonly Row[],
  before: string,
  after: string,
  counts: (row: Row) => boolean = () => true,
): string {
  const seeds = [...new Set(rows.map((row) => row['seed']))];
  const gains = seeds.map((seed) =>
    meanOf(
      rows
        .filter((row) => row['seed'] === seed)
        .map((row) => (counts(row) ? Number(row[after]) - Number(row[before]) : 0)),
    ),
  );
  const { low, high } = interval95(gains);
  return `mean ${signed(meanOf(gains))}, 95 % interval ${signed(low)} to ${signed(high)} (t, ${seeds.length} seeds)`;
}

const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(3)}`;

export const firstRounds: Bench = {
  name: 'first-rounds',
  title: 'First round after one correction',
  about: `Lite student (${sizePx.join(' x ')} pixels of 2 mm), lesion task, five seeds with subjects of their own. The first version is trained on 12 subjects (${settings.baseSteps} steps of \`uncol train\`); then, ${settings.rounds} times from it, one round of the server's own code, ${settings.roundSteps} steps: ${approvedSlices.lesion + approvedSlices.rest} approved slices (${approvedSlices.lesion} through the lesion, ${approvedSlices.rest} elsewhere) of one subject of another scanner (gamma 2, twice the bias field, more noise), its other slices and four more such subjects unlabelled, training subjects replayed. \`before\` and \`after\`: Dice of the corrected subject on the slices that were not approved, of the mask that a viewer would get (decided on the source grid, largest component), under the first version and the round's candidate. \`baseBefore\`, \`baseAfter\`: what the gate saw, mean Dice of 10 base subjects, decided likewise. \`lesionBefore\`, \`lesionAfter\`: the network's own answer on the slices that were not approved and hold the lesion, without the all-or-nothing of the largest component. Settings were chosen on other seeds; seed 11 had been run once, and looked at, before air was kept from the network.`,
  run,
  report,
};
