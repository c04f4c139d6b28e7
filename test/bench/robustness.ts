import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import type { Engine } from '../../server/src/engine/ops.ts';
import { Random } from '../../server/src/engine/random.ts';
import { availableThreads } from '../../server/src/engine/threads.ts';
import { fromHalf } from '../../server/src/engine/vectors.ts';
import { countOverlap, diceOf } from '../../server/src/labelmap/metrics.ts';
import { type Card, seesSlices } from '../../server/src/registry/card.ts';
import { readVersion, seedFolder } from '../../server/src/registry/registry.ts';
import { prepareSubject } from '../../server/src/round/subjects.ts';
import { type Colin27, loadColin27 } from '../../server/src/sample/colin27.ts';
import { type GenerateOptions, generateSubject } from '../../server/src/sample/generator.ts';
import { loadHeadCt } from '../../server/src/sample/head-ct.ts';
import { unpackDebian } from '../../server/src/setup/debian.ts';
import { samplePackages } from '../../server/src/setup/prepare.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { sampleSpace } from '../../server/src/student/input.ts';
import type { Predict } from '../../server/src/student/predict.ts';
import { holdsContent } from '../../server/src/student/prepare.ts';
import { segmentVolume } from '../../server/src/student/segment.ts';
import { subGrid, type Vec3 } from '../../server/src/volume/geometry.ts';
import type { Volume } from '../../server/src/volume/volume.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';
import { mean } from './statistics.ts';

const model = 'brain-mr';
const task = 'brain';
/** Of the test range, apart from the ten subjects of metrics.json. */
const seeds = [20300, 20301, 20302, 20303, 20304, 20305] as const;
const millimetres: Vec3 = [1, 1, 2];

type Condition = readonly [factor: string, level: string, options: Partial<GenerateOptions>, cut?: number];

/** One influence at a time; all else as in the sample subjects. */
const conditions: readonly Condition[] = [
  ['none', 'as the sample studies', {}],
  ['contrast', 'tone, gamma, tissues', { change: { gammaSd: 0.35, toneSd: 0.08, tissueSd: 0.15 } }],
  ['bias field', 'sd 0.5', { change: { biasSd: [0.5, 0.5] } }],
  ['bias field', 'sd 1.4', { change: { biasSd: [1.4, 1.4] } }],
  ['noise', '5 %', { change: { noise: [0.05, 0.05] } }],
  ['noise', '10 %', { change: { noise: [0.1, 0.1] } }],
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

interface Server {
  readonly card: Card;
  readonly predict: Predict;
}

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const root = await unpackDebian(join(tmpdir(), 'uncol-bench-home'), samplePackages, () => {});
  const colin = await loadColin27(root);
  const server = await openModel(createOnnxEngine({ threads: availableThreads().count }));
  const rows: Row[] = [];
  const add = (row: Row) => {
    tell(JSON.stringify(row));
    rows.push(row);
  };
  for (const condition of conditions)
    for (const seed of seeds) add(await measureCondition(server, colin, condition, seed));
  for (const row of await measureUncertainty(server, colin)) add(row);
  for (const [kind, volume] of await strangeVolumes(colin, root)) {
    add({ what: 'uncertainty', kind, uncertainty: round((await segment(server, volume)).uncertainty) });
  }
  return rows;
}

async function openModel(engine: Engine): Promise<Server> {
  const version = await readVersion(join(fileURLToPath(seedFolder), model, '1'), 'seed');
  if (!version) throw new RangeError(`no model ${model}`);
  const { card, folder } = version;
  const weights = fromHalf(await readFile(join(folder, card.weights.file)));
  const program = studentOf(card.architecture).inferenceProgram(8, sampleSpace(card.input));
  const predictor = await engine.predictor(program, { frozen: true });
  const predict: Predict = async (image) => {
    const { probabilities, entropy } = await predictor.run(weights, { image });
    if (!probabilities || !entropy) throw new RangeError('the student lacks an output');
    return { probabilities, entropy };
  };
  return { card, predict };
}

function segment({ card, predict }: Server, volume: Volume) {
  return segmentVolume(volume, card, predict, { batch: 8 });
}

async function measureCondition(
  server: Server,
  colin: Colin27,
  [factor, level, options, cut]: Condition,
  seed: number,
): Promise<Row> {
  const whole = { seed, task, variation: 'sample', plane: 'axial', spacingMm: millimetres, ...options } as const;
  const { volume, truth } = cropped(generateSubject(colin, whole), cut ?? 1);
  const { labelmap, uncertainty } = await segment(server, volume);
  const dice = diceOf(countOverlap(labelmap.data, truth, 1));
  return { what: 'dice', factor, level, seed, dice: round(dice), uncertainty: round(uncertainty) };
}

/** The middle part of a scan, `share` of each side. */
function cropped({ volume, truth }: { volume: Volume; truth: Uint8Array }, share: number) {
  if (share === 1) return { volume, truth };
  const { geometry } = volume;
  const size = geometry.size.map((side) => Math.round(side * share)) as unknown as Vec3;
  const start = geometry.size.map((side, axis) => Math.floor((side - (size[axis] ?? 0)) / 2)) as unknown as Vec3;
  const cut = <T extends Volume['data']>(from: T): T => {
    const to = from.slice(0, size[0] * size[1] * size[2]) as T;
    let at = 0;
    for (let k = 0; k < size[2]; k++) {
      for (let j = 0; j < size[1]; j++) {
        const row = ((start[2] + k) * geometry.size[1] + start[1] + j) * geometry.size[0] + start[0];
        to.set(from.subarray(row, row + size[0]) as never, at);
        at += size[0];
      }
    }
    return to;
  };
  return { volume: { data: cut(volume.data), geometry: subGrid(geometry, start, size) }, truth: cut(truth) };
}

/** Risk over coverage and calibration, pixel by pixel on the network's grid, over moderate and wide subjects. */
async function measureUncertainty({ card, predict }: Server, colin: Colin27): Promise<readonly Row[]> {
  if (!seesSlices(card)) throw new RangeError('a model of slices is wanted');
  const seen: { entropy: number; confidence: number; isWrong: boolean }[] = [];
  const random = new Random(1);
  const [columns, rows] = card.input.sizePx;
  for (const variation of ['sample', 'wide'] as const) {
    for (const seed of seeds) {
      for (const { image, label } of prepareSubject(colin, task, variation, seed, card.input).slices) {
        if (!holdsContent(image, columns)) continue;
        const { probabilities, entropy } = await predict(image, 1);
        for (let at = 0; at < columns * rows; at++) {
          // One pixel in forty: enough for the curves, and they need not stay in memory.
          if (random.next() > 0.025) continue;
          const foreground = probabilities[columns * rows + at] ?? 0;
          const found = foreground > 0.5 ? 1 : 0;
          const confidence = Math.max(foreground, 1 - foreground);
          seen.push({ entropy: entropy[at] ?? 0, confidence, isWrong: found !== (label[at] ?? 0) });
        }
      }
    }
  }
  const sorted = seen.toSorted((a, b) => a.entropy - b.entropy);
  const errorOf = (part: typeof seen) => part.filter(({ isWrong }) => isWrong).length / part.length;
  const coverages = [1, 0.99, 0.98, 0.95, 0.9, 0.8].map((coverage): Row => {
    const part = sorted.slice(0, Math.round(coverage * sorted.length));
    return { what: 'risk', coverage, error: round(errorOf(part), 5), pixels: part.length };
  });
  return [...coverages, { what: 'calibration', expectedCalibrationError: round(calibrationError(seen), 5) }];
}

/** Mean over ten bins of confidence, by their size, of the difference between confidence and share of right pixels. */
function calibrationError(seen: readonly { readonly confidence: number; readonly isWrong: boolean }[]): number {
  const bins = Array.from({ length: 10 }, () => ({ count: 0, confidence: 0, right: 0 }));
  for (const { confidence, isWrong } of seen) {
    const bin = bins[Math.min(9, Math.floor((confidence - 0.5) * 20))];
    if (!bin) continue;
    bin.count += 1;
    bin.confidence += confidence;
    bin.right += isWrong ? 0 : 1;
  }
  return bins.reduce((sum, { confidence, right }) => sum + Math.abs(confidence - right), 0) / seen.length;
}

/** What the model was not made for. */
async function strangeVolumes(colin: Colin27, root: string): Promise<readonly (readonly [string, Volume])[]> {
  const { volume } = generateSubject(colin, {
    seed: 20310,
    task,
    variation: 'sample',
    plane: 'axial',
    spacingMm: [2, 2, 2],
  });
  const random = new Random(7);
  let most = 0;
  for (const value of volume.data) most = Math.max(most, value);
  const of = (value: (at: number) => number): Volume => ({
    geometry: volume.geometry,
    data: Float32Array.from({ length: volume.data.length }, (_, at) => value(at)),
  });
  const [columns, rows, slices] = volume.geometry.size;
  const radius = (at: number) =>
    Math.hypot(
      (at % columns) - columns / 2,
      (Math.floor(at / columns) % rows) - rows / 2,
      Math.floor(at / columns / rows) - slices / 2,
    );
  return [
    ['head CT', await loadHeadCt(root)],
    ['ball of water', of((at) => (radius(at) < 35 ? 600 : 0) + 20 * random.normal())],
    ['noise', of(() => 300 + 100 * random.normal())],
    ['inverted image', of((at) => most - (volume.data[at] ?? 0))],
    ['upside down and torn', of((at) => volume.data[(at * 37) % volume.data.length] ?? 0)],
  ];
}

function round(value: number, digits = 4): number {
  return Number(value.toFixed(digits));
}

function report(rows: readonly Row[]): string {
  const ofKind = (what: string) => rows.filter((row) => row['what'] === what);
  const lines = conditions.map(([factor, level]) => {
    const of = ofKind('dice').filter((row) => row['factor'] === factor && row['level'] === level);
    const dice = numbersOf(of, 'dice');
    const figures = [mean(dice), Math.min(...dice), Math.max(...dice)].map((value) => value.toFixed(3));
    return [factor, level, ...figures, mean(numbersOf(of, 'uncertainty')).toFixed(3)];
  });
  const known = numbersOf(ofKind('dice'), 'uncertainty');
  const strange = ofKind('uncertainty');
  const auroc = mean(
    numbersOf(strange, 'uncertainty').flatMap((value) =>
      known.map((other) => (value > other ? 1 : value === other ? 0.5 : 0)),
    ),
  );
  const risk = ofKind('risk').map((row) => [String(row['coverage']), String(row['error'])]);
  const [calibration] = numbersOf(ofKind('calibration'), 'expectedCalibrationError');
  return [
    table(['what differs', 'how', 'Dice, mean', 'least', 'most', 'uncertainty'], lines),
    `Risk over coverage: share of wrong pixels when the least sure ones are left out.\n\n${table(['kept', 'wrong'], risk)}`,
    `Expected calibration error: ${calibration}.`,
    `Uncertainty told of what the model was not made for; AUROC against all studies above: ${auroc.toFixed(3)} (aim 0.95).\n\n${table(
      ['volume', 'uncertainty'],
      strange.map((row) => [String(row['kind']), String(row['uncertainty'])]),
    )}`,
  ].join('\n\n');
}

export const robustness: Bench = {
  name: 'robustness',
  title: 'brain-mr on what hospitals send',
  about:
    'The shipped student as it serves: resampled to its grid, mask on the grid of the series. Six subjects of the test range ' +
    'a line, 1 x 1 x 2 mm axial where not said otherwise; one influence at a time. Uncertainty is the number that the panel ' +
    'shows: mean normalised entropy in and round the mask.',
  run,
  report,
};
