import { execFileSync } from 'node:child_process';
import { z } from 'zod';
import { openEngine } from '../../server/src/engine/candidates.ts';
import type { Engine } from '../../server/src/engine/ops.ts';
import { availableThreads } from '../../server/src/engine/threads.ts';
import { relativeDifference } from '../../server/src/engine/trial.ts';
import { initialise, initialState } from '../../server/src/engine/vectors.ts';
import { medianOf } from '../../server/src/round/statistics.ts';
import { type Architecture, studentOf } from '../../server/src/student/architecture.ts';
import { collaborationSettingsSchema, optimiserOf } from '../../server/src/uncol/settings.ts';
import { drawBatch, supervisedProgram } from '../parity/supervised.ts';
import { findTorch, python, scriptOf, withTaskFolder } from '../parity/torch.ts';
import { takeTurns } from './paired.ts';
import { openTorch, type Peer } from './peer.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';
import { shorten } from './spread.ts';
import { openOurs, type Scene, scenes, taskOf, teach, type Work, works } from './stage-two-scenes.ts';

const threads = availableThreads().count;
/** Ours on the GPU, what it is compared with, and by which columns; the slow ones in 2D alone. */
const ours = 'onnx-webgpu';
const others = { torch: 'cuda', tf32: 'cuda-tf32' } as const;
const slowOthers = { tfjs: 'tfjs-webgpu', cpu: 'onnx-cpu' } as const;
type Other = keyof (typeof others & typeof slowOthers);
const count = { warmUps: 2, pairs: 5 };
/** Of the run that learns on both devices, in 2D. */
const learning = { steps: 20, every: 10 };

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const torch = findTorch();
  if ('missing' in torch) throw new Error(torch.missing);
  const rows: Row[] = [];
  const note = (row: Row): void => {
    tell(JSON.stringify(row));
    rows.push(row);
  };
  note(measureCeiling());
  for (const architecture of new Set(scenes.map((scene) => scene.architecture))) await agree(architecture, note);
  for (const scene of scenes) {
    const weights = await teach(scene.architecture);
    for (const work of works) rows.push(...(await compare(scene, work, weights, tell)));
  }
  return rows;
}

const ceilingSchema = z.strictObject({
  device: z.string(),
  torch: z.string(),
  copyGBs: z.number(),
  fp32Tflops: z.number(),
  tf32Tflops: z.number(),
});

function measureCeiling(): Row {
  const text = execFileSync(python, [scriptOf('ceiling')], { encoding: 'utf8' });
  const { device, torch, ...numbers } = ceilingSchema.parse(JSON.parse(text));
  const rounded = Object.entries(numbers).map(([name, value]) => [name, Number(value.toFixed(1))]);
  return { what: 'ceiling', device, torch, ...Object.fromEntries(rounded) };
}

/** Loss and gradient of both devices, and a student that learns on both from the same start and batches. */
async function agree(architecture: Architecture, note: (row: Row) => void): Promise<void> {
  const student = studentOf(architecture);
  const size =
    architecture.network === 'prob-unet-2d' ? { batch: 4, space: [128, 128] } : { batch: 1, space: [48, 48, 48] };
  const program = supervisedProgram(student, size);
  const engines: Readonly<Record<'gpu' | 'cpu', Engine>> = {
    gpu: (await openEngine(ours, { threads })).opened.engine,
    cpu: (await openEngine(slowOthers.cpu, { threads })).opened.engine,
  };
  const weights = await teach(architecture);
  const batch = drawBatch(student, size, 1);
  const [gpu, cpu] = [
    await engines.gpu.gradients(program, weights, batch),
    await engines.cpu.gradients(program, weights, batch),
  ];
  const loss = Math.abs(gpu.loss / cpu.loss - 1);
  const gradient = relativeDifference(gpu.gradient, cpu.gradient);
  note({ what: 'difference', network: architecture.network, loss, gradient });
  if (architecture.network !== 'prob-unet-2d') return;
  const settings = collaborationSettingsSchema.parse({});
  const start = initialState(initialise(engines.cpu.table(program), 1));
  const trainers = [
    await engines.gpu.trainer(program, optimiserOf(settings), start),
    await engines.cpu.trainer(program, optimiserOf(settings), start),
  ] as const;
  try {
    for (let step = 0; step <= learning.steps; step += 1) {
      const drawn = drawBatch(student, size, 100 + step);
      const [onGpu, onCpu] = [
        await trainers[0].step(drawn, { learningRate: 1e-3, emaDecay: 0.99 }),
        await trainers[1].step(drawn, { learningRate: 1e-3, emaDecay: 0.99 }),
      ];
      if (step % learning.every !== 0) continue;
      note({ what: 'learning', network: architecture.network, step, gpuLoss: onGpu.loss, cpuLoss: onCpu.loss });
    }
  } finally {
    for (const trainer of trainers) await trainer.dispose();
  }
}

async function compare(
  scene: Scene,
  work: Work,
  weights: Float32Array,
  tell: (line: string) => void,
): Promise<readonly Row[]> {
  return withTaskFolder(taskOf(scene, work, weights), async (folder) => {
    const labels = { what: work, scene: scene.name };
    const isLarge = scene.space.length === 3;
    const us = openOurs(work, folder, ours);
    const rest = openOthers(work, folder, isLarge ? others : { ...others, ...slowOthers });
    const rows: Row[] = [];
    const note = (row: Row): void => {
      tell(JSON.stringify(row));
      rows.push(row);
    };
    const sides: Record<string, () => ReturnType<Peer['ask']>> = {};
    try {
      for (const [name, peer] of rest) {
        try {
          // 10^9 operations, as PyTorch counts them in the same network.
          const { gflop } = await peer.ask(name === 'torch' ? `count ${work}` : work);
          if (gflop !== undefined) note({ ...labels, gflop: Number(gflop.toFixed(2)) });
          sides[name] = () => peer.ask(work);
        } catch (error) {
          note({ ...labels, absent: name, reason: error instanceof Error ? error.message : String(error) });
        }
      }
      rows.push(...(await takeTurns(labels, { ours: () => us.ask(work), ...sides }, count, tell)));
      return rows;
    } finally {
      for (const peer of [us, ...rest.map(([, each]) => each)]) await peer.close();
    }
  });
}

function openOthers(
  work: Work,
  folder: string,
  devices: Readonly<Partial<Record<Other, string>>>,
): readonly (readonly [Other, Peer])[] {
  return (Object.entries(devices) as [Other, string][]).map(([name, device]) => [
    name,
    device.startsWith('cuda') ? openTorch(folder, device) : openOurs(work, folder, device),
  ]);
}

function report(rows: readonly Row[]): string {
  const [ceiling] = rows.filter((row) => row['what'] === 'ceiling');
  const [fp32, tf32] = [Number(ceiling?.['fp32Tflops']), Number(ceiling?.['tf32Tflops'])];
  const lines = scenes.flatMap((scene) =>
    works.flatMap((work) => {
      const these = rows.filter((row) => row['what'] === work && row['scene'] === scene.name);
      if (these.length === 0) return [];
      const gflop = numbersOf(these, 'gflop')[0] ?? Number.NaN;
      const ms = (name: string) => medianOf(numbersOf(these, `${name}Ms`));
      const share = (name: string, tflops: number) => `${((100 * gflop) / ms(name) / tflops).toFixed(1)} %`;
      const has = (name: string) => numbersOf(these, `${name}Ms`).length > 0;
      const cell = (name: string) => (has(name) ? shorten(ms(name)) : '-');
      const line = [
        `${work}, ${scene.name}`,
        gflop,
        cell('ours'),
        has('graph') ? `${(100 * (1 - ms('graph') / ms('ours'))).toFixed(1)} %` : '-',
        share('ours', fp32),
        cell('torch'),
        share('torch', fp32),
        (ms('torch') / ms('ours')).toFixed(2),
        cell('tf32'),
        cell('tfjs'),
        cell('cpu'),
        numbersOf(these, 'oursMs').length,
      ];
      return [line];
    }),
  );
  const missing = scenes.flatMap((scene) =>
    works.flatMap((work) => {
      const these = rows.filter((row) => row['what'] === work && row['scene'] === scene.name);
      if (these.length === 0) return [`${work}, ${scene.name}: the run ended before it`];
      return these.flatMap((row) =>
        row['absent'] ? [`${work}, ${scene.name}, ${row['absent']}: ${row['reason']}`] : [],
      );
    }),
  );
  const head = [
    '',
    'GFLOP',
    'ours, ms',
    'outside the graphs',
    'of the ceiling',
    'PyTorch, ms',
    'of the ceiling',
    'PyTorch / ours',
  ];
  const more = ['PyTorch in TF32, ms', 'our tfjs reading, ms', 'ours on the CPU, ms', 'turns'];
  return [
    `Ceiling of the ${ceiling?.['device']}, PyTorch ${ceiling?.['torch']}: products ${shorten(fp32)} TFLOP/s in float32, ${shorten(tf32)} in TF32; copy ${shorten(Number(ceiling?.['copyGBs']))} GB/s.`,
    table([...head, ...more], lines),
    ...(missing.length > 0 ? [`Not measured: ${missing.join('; ')}.`] : []),
    table(
      ['network', 'loss differs by', 'gradient differs by', 'loss at steps (GPU; CPU)'],
      rows
        .filter((row) => row['what'] === 'difference')
        .map(({ network, loss, gradient }) => {
          const learnt = rows.filter((row) => row['what'] === 'learning' && row['network'] === network);
          const losses = (key: string) =>
            numbersOf(learnt, key)
              .map((value) => value.toFixed(3))
              .join(' ');
          const cells = [Number(loss).toExponential(1), Number(gradient).toExponential(1)];
          return [String(network), ...cells, learnt.length > 0 ? `${losses('gpuLoss')}; ${losses('cpuLoss')}` : ''];
        }),
    ),
  ].join('\n\n');
}

/** Ours on a real GPU beside PyTorch on the same, and how much of the card both use. */
export const gpu: Bench = {
  name: 'gpu',
  title: 'A real GPU: training step and forward, and the share of the card',
  about:
    'The works of [stage-two](stage-two.md) on an NVIDIA GPU. Ours is the onnx reading on WebGPU (Vulkan), what npm alone brings; CUDA would need libraries that npm does not bring. PyTorch runs the same networks, weights and images on CUDA in float32, and beside it with products in TF32. All sides take turns, each in a process of its own, after turns to warm up; medians. GFLOP: convolutions and products as PyTorch counts them. The ceiling is measured on the same card in the same run: products of two 8192 x 8192 matrices. Last table: loss and gradient of one batch on GPU and CPU, and the losses of a student that learns on both from the same weights and batches.',
  run,
  report,
};
