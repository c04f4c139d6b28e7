import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { availableThreads } from '../../server/src/engine/threads.ts';
import { countOverlap, diceOf } from '../../server/src/labelmap/metrics.ts';
import { meanOf } from '../../server/src/round/statistics.ts';
import { type Colin27, loadColin27 } from '../../server/src/sample/colin27.ts';
import { type GenerateOptions, generateSubject } from '../../server/src/sample/generator.ts';
import { modalityOf, type SampleTask } from '../../server/src/sample/task.ts';
import { variations } from '../../server/src/sample/variation.ts';
import { unpackDebian } from '../../server/src/setup/debian.ts';
import { samplePackages } from '../../server/src/setup/prepare.ts';
import { isStrange, type SegmentedVolume } from '../../server/src/student/segment.ts';
import { partOf } from './field-of-view.ts';
import { measurePixels } from './pixel-uncertainty.ts';
import type { Bench, Row } from './record.ts';
import { robustnessPlots, robustnessReport } from './robustness-report.ts';
import { openShipped, type Shipped } from './shipped-model.ts';
import { type StrangeKind, strangeKinds } from './strange-volumes.ts';

/** Measured when UNCOL_BENCH_MODELS does not name others, joined by commas: what the generator has subjects for. */
const shipped = 'brain-mr,brain-mr-3d,brain-parts-mr,intracranial-ct,lesion-mr';
/** Of the test range, apart from the ten subjects of metrics.json. */
const seeds = [20300, 20301, 20302, 20303, 20304, 20305] as const;
/** Volumes of each strange kind. */
const strangers = 5;

/** One influence on a scan. */
export type Condition = readonly [factor: string, level: string, options: Partial<GenerateOptions>, share?: number];

const { rotationDegrees, scale, shiftMm, elasticSdMm } = variations.sample;

const ofMr: readonly Condition[] = [
  ['contrast', 'tone, gamma, tissues', { change: { gammaSd: 0.35, toneSd: 0.08, tissueSd: 0.15 } }],
  ['bias field', 'sd 0.5', { change: { biasSd: [0.5, 0.5] } }],
  ['bias field', 'sd 1.4', { change: { biasSd: [1.4, 1.4] } }],
  ['noise', '5 %', { change: { noise: [0.05, 0.05] } }],
  ['noise', '10 %', { change: { noise: [0.1, 0.1] } }],
];

/** Noise as thin slices of a low dose have it. */
const ofCt: readonly Condition[] = [
  [
    'contrast',
    'HU, skull, field of view',
    { variation: 'wide', change: { rotationDegrees, scale, shiftMm, elasticSdMm } },
  ],
  ['shading', 'sd 0.02', { change: { biasSd: [0.02, 0.02] } }],
  ['shading', 'sd 0.05', { change: { biasSd: [0.05, 0.05] } }],
  ['noise', '25 HU', { change: { noise: [0.025, 0.025] } }],
  ['noise', '60 HU', { change: { noise: [0.06, 0.06] } }],
];

const ofBoth: readonly Condition[] = [
  ['slice thickness', '1 mm', { spacingMm: [1, 1, 1] }],
  ['slice thickness', '4 mm', { spacingMm: [1, 1, 4] }],
  ['slice thickness', '6 mm', { spacingMm: [1, 1, 6] }],
  ['pose', '15 degrees', { change: { rotationDegrees: [15, 15, 15] } }],
  ['pose', '30 degrees', { change: { rotationDegrees: [30, 30, 30] } }],
  ['field of view', 'three quarters of each side', {}, 0.75],
  ['field of view', 'half of each side', {}, 0.5],
  ['plane', 'coronal', { plane: 'coronal' }],
  ['plane', 'sagittal', { plane: 'sagittal' }],
];

/** One influence at a time; all else as in the sample subjects. */
function conditionsOf(task: SampleTask): readonly Condition[] {
  return [['none', 'as the sample studies', {}], ...(modalityOf(task) === 'CT' ? ofCt : ofMr), ...ofBoth];
}

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const root = await unpackDebian(join(tmpdir(), 'uncol-bench-home'), samplePackages, () => {});
  const colin = await loadColin27(root);
  const engine = createOnnxEngine({ threads: availableThreads().count });
  const rows: Row[] = [];
  const add = (row: Row) => {
    tell(JSON.stringify(row));
    rows.push(row);
  };
  for (const name of (process.env['UNCOL_BENCH_MODELS'] ?? shipped).split(',')) {
    const model = await openShipped(engine, name);
    for (const condition of conditionsOf(model.card.baseSet.task))
      for (const seed of seeds) add(await measureCondition(model, colin, condition, seed));
    for (const row of await measurePixels(model, colin, seeds)) add(row);
    for (const kind of await strangeKinds(colin, root, model.card.baseSet.task))
      for (let n = 0; n < strangers; n++) add(await measureStranger(model, kind, n));
    await model.close();
  }
  return rows;
}

/** Dice and uncertainty of one subject under one condition. */
export async function measureCondition(
  { card, segment }: Shipped,
  colin: Colin27,
  [factor, level, options, share = 1]: Condition,
  seed: number,
): Promise<Row> {
  const usual = { variation: 'sample', plane: 'axial', spacingMm: [1, 1, 2] } as const;
  const { volume, truth } = partOf(
    generateSubject(colin, { seed, task: card.baseSet.task, ...usual, ...options }),
    share,
  );
  const { labelmap, meanEntropy, uncertainty, strangeness } = await segment(volume);
  const dice = card.segments.map(({ number }) => diceOf(countOverlap(labelmap.data, truth, number)));
  const bySegment = card.segments.map(({ label }, n) => [`dice of ${label}`, round(dice[n] ?? 0)] as const);
  return {
    what: 'dice',
    model: card.name,
    factor,
    level,
    seed,
    dice: round(meanOf(dice)),
    ...(dice.length > 1 ? Object.fromEntries(bySegment) : {}),
    meanEntropy: round(meanEntropy),
    uncertainty: round(uncertainty),
    ...describeStrangeness(strangeness),
  };
}

/** What the model says of the n-th volume of a strange kind. */
export async function measureStranger(
  { card, segment }: Shipped,
  { kind, make }: StrangeKind,
  n: number,
): Promise<Row> {
  const { missingSegments, meanEntropy, uncertainty, strangeness } = await segment(make(n));
  return {
    what: 'stranger',
    model: card.name,
    kind,
    seed: n,
    isMissing: missingSegments.length > 0,
    meanEntropy: round(meanEntropy),
    uncertainty: round(uncertainty),
    ...describeStrangeness(strangeness),
  };
}

function describeStrangeness(strangeness: SegmentedVolume['strangeness']): Row {
  const distance = strangeness && round(strangeness.distance);
  return { isStrange: isStrange(strangeness), distance };
}

function round(value: number): number {
  return Number(value.toFixed(4));
}

export const robustness: Bench = {
  name: 'robustness',
  title: 'Shipped models on what hospitals send, and on what they should not',
  about:
    'The shipped students as they serve: resampled to their grid, mask on the grid of the series. Six subjects of the test ' +
    'range a line, 1 x 1 x 2 mm axial where not said otherwise; one influence at a time; Dice is 1 where neither mask nor ' +
    'truth hold the segment. Mean entropy: normalised, in and round the mask, or of the whole content where the mask is ' +
    'empty. Uncertainty: what the panel shows, which is 1 when a segment is missing that the card expects in every series, ' +
    'or the image looks unlike those that the model was made for (`familiar` of the card), else the mean entropy. UNCOL_BENCH_MODELS names other models.',
  run,
  report: robustnessReport,
  plots: robustnessPlots,
};
