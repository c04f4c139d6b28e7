import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import type { Engine } from '../../server/src/engine/ops.ts';
import { availableThreads } from '../../server/src/engine/threads.ts';
import { fromHalf } from '../../server/src/engine/vectors.ts';
import { judge } from '../../server/src/promotion/gate.ts';
import type { Card } from '../../server/src/registry/card.ts';
import { parseRecipe, type Recipe } from '../../server/src/round/recipe.ts';
import { runRound } from '../../server/src/round/run.ts';
import { train } from '../../server/src/round/train.ts';
import { type Colin27, loadColin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import { drawAcquisition } from '../../server/src/sample/slices.ts';
import { inferenceProgram, studentConfig } from '../../server/src/student/architecture.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { chooseApproved, makeShifted, planFirstRound } from './first-rounds-subjects.ts';
import { pseudoGradientNorm } from './pseudo-gradient.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';
import { type Judged, servedDice } from './served-dice.ts';
import { interval95, mean } from './statistics.ts';

const config = studentConfig('lite', 2);
const sizePx = [128, 128] as const;
const approvedSlices = { lesion: 3, rest: 2 };

/** Seeds of the reported runs. Learning rates, steps and the like were chosen on others. */
export const reportedSeeds = [1, 2, 3, 4, 5];

interface Settings {
  readonly baseSteps: number;
  readonly roundSteps: number;
}
const settings: Settings = { baseSteps: 800, roundSteps: 200 };

/** Training subjects, corrected subject and unlabelled subjects of a run; no two runs share any. */
function subjectsOf(seed: number) {
  return {
    labelled: { from: 500 + 2 * seed, to: 501 + 2 * seed },
    corrected: 20_200 + 10 * seed,
    unlabelled: [1, 2, 3, 4].map((n) => 20_200 + 10 * seed + n),
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
      rows.push(await runSeed(seed, settings, { folder, colin, engine }));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    tell(JSON.stringify(rows.at(-1)));
  }
  return rows;
}

interface Place {
  /** Base version and round checkpoint are kept here. */
  readonly folder: string;
  readonly colin: Colin27;
  readonly engine: Engine;
}

/** Base version, one round, and Dice before and after. */
export async function runSeed(seed: number, { baseSteps, roundSteps }: Settings, place: Place): Promise<Row> {
  const { folder, colin, engine } = place;
  const subjects = subjectsOf(seed);
  const recipe = await recipeOf(seed, subjects.labelled, baseSteps, engine);
  const card = await train(recipe, place);
  const inService = fromHalf(await readFile(join(folder, card.weights.file)));
  const corrected = makeShifted(colin, subjects.corrected);
  const approved = chooseApproved(corrected, approvedSlices);
  const uncorrected = subjects.unlabelled.map((other) => makeShifted(colin, other));
  const { plan, ...memory } = planFirstRound(seed, roundSteps, corrected, approved, uncorrected);
  const sources = { ...memory, colin, card, recipe };
  const pseudoGradient = await pseudoGradientNorm(plan, sources, engine, inService);
  const started = performance.now();
  const { outcome, weights } = await runRound(plan, sources, engine, inService, {
    folder: join(folder, 'round'),
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  const roundSeconds = (performance.now() - started) / 1000;
  const verdict = judge({ ...outcome, isInService: outcome.chosen.source === 'in-service' }, card.gate.epsilon);
  const { volume } = corrected.series;
  const slices = new Set([...corrected.series.instances.keys()].filter((k) => !approved.has(k)));
  const others = [{ volume, truth: corrected.truth, slices }];
  const base = baseSubjects(colin, card);
  const dice = (version: Float32Array, of: readonly Judged[]) => servedDice(engine, card, version, of);
  return {
    seed,
    before: round(await dice(inService, others)),
    after: round(await dice(weights, others)),
    baseBefore: round(await dice(inService, base)),
    baseAfter: round(await dice(weights, base)),
    gateBefore: round(verdict.inServiceDice),
    gateAfter: round(verdict.candidateDice),
    verdict: verdict.passed ? 'promoted' : 'refused',
    chosen: `${outcome.chosen.source} ${outcome.chosen.step}`,
    trust: round(outcome.means['trustSpecialized']),
    pseudoGradient: round(pseudoGradient),
    roundSeconds: round(roundSeconds, 1),
  };
}

function round(value = Number.NaN, digits = 4): number {
  return Number(value.toFixed(digits));
}

/** The recipe of lesion-mr with two other subjects, the lite student and 128 x 128 slices. */
async function recipeOf(seed: number, seeds: Recipe['labelled']['seeds'], steps: number, engine: Engine) {
  const file = new URL('../../models/lesion-mr/1/recipe.json', import.meta.url);
  const published = parseRecipe(await readFile(file, 'utf8'));
  const inferenceParameters = engine.table(inferenceProgram(config, 1, sizePx[1], sizePx[0])).size;
  return parseRecipe(
    JSON.stringify({
      ...published,
      seed,
      labelled: { ...published.labelled, seeds },
      test: { seeds: { from: 20_100, to: 20_100 } },
      stage1: { ...published.stage1, steps, learningRate: 2e-3 },
      card: {
        ...published.card,
        input: { ...published.card.input, sizePx },
        architecture: { ...published.card.architecture, variant: 'lite', inferenceParameters },
      },
    }),
  );
}

/** Whole subjects of the base set; the gate itself sees some slices of each. */
function baseSubjects(colin: Colin27, { baseSet }: Card): readonly Judged[] {
  return baseSet.seeds.map((seed) => {
    const subject = { seed, task: baseSet.task, variation: 'sample' } as const;
    const { volume, truth } = generateSubject(colin, { ...subject, ...drawAcquisition(subject) });
    return { volume, truth, slices: new Set(Array.from({ length: volume.geometry.size[2] }, (_, k) => k)) };
  });
}

function report(rows: readonly Row[]): string {
  const differences = (after: string, before: string, of = rows) =>
    of.map((row) => Number(row[after]) - Number(row[before]));
  const gains = differences('after', 'before');
  const { low, high } = interval95(gains);
  const promoted = rows.filter((row) => row['verdict'] === 'promoted');
  const served = rows.map((row, n) => (row['verdict'] === 'promoted' ? (gains[n] ?? 0) : 0));
  const losses = differences('baseBefore', 'baseAfter', promoted);
  const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(3)}`;
  const columns = Object.keys(rows[0] ?? {});
  return `${table(
    columns,
    rows.map((row) => columns.map((key) => String(row[key]))),
  )}

- Gain on the other slices of the corrected subject: mean ${signed(mean(gains))}, 95 % interval ${signed(low)} to ${signed(high)} (t, ${rows.length} seeds); ${signed(mean(served))} where a refused round counts as no gain.
- Promoted: ${promoted.length} of ${rows.length}${promoted.length > 0 ? `; the largest loss of a promoted version on the base set is ${(100 * Math.max(0, ...losses)).toFixed(1)} points of Dice, the mean change ${signed(-mean(losses))}` : ''}.
- Trust rate of the specialized teacher ${Math.min(...numbersOf(rows, 'trust'))} or more; gradient of the unlabelled term alone ${Math.min(...numbersOf(rows, 'pseudoGradient'))} or more.
- Longest round: ${Math.max(...numbersOf(rows, 'roundSeconds'))} s.`;
}

export const firstRounds: Bench = {
  name: 'first-rounds',
  title: 'First round after one correction',
  about: `Lite student (${sizePx.join(' x ')} pixels of 2 mm), lesion task, five seeds with subjects of their own. The first version is trained on two subjects (${settings.baseSteps} steps of \`uncol train\`); then one round of the server's own code, ${settings.roundSteps} steps: ${approvedSlices.lesion + approvedSlices.rest} approved slices (${approvedSlices.lesion} through the lesion, ${approvedSlices.rest} elsewhere) of one subject of another scanner (gamma 2, twice the bias field, more noise), its other slices and four more such subjects unlabelled, the two training subjects replayed. \`before\` and \`after\`: Dice of the corrected subject on the slices that were not approved, under the first version and the round's candidate. \`baseBefore\`, \`baseAfter\`: mean Dice of the 12 whole subjects of the base set. All four are of the mask that a viewer would get (decided on the source grid, largest component); \`gateBefore\` and \`gateAfter\` are what the gate saw, the network's own output on 16 slices of each base subject.`,
  run,
  report,
};
