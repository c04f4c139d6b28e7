import { fileURLToPath } from 'node:url';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { Random } from '../../server/src/engine/random.ts';
import { availableThreads } from '../../server/src/engine/threads.ts';
import { initialise, initialState } from '../../server/src/engine/vectors.ts';
import { type Architecture, studentOf } from '../../server/src/student/architecture.ts';
import { drawMixMask } from '../../server/src/uncol/mix.ts';
import { trustThreshold } from '../../server/src/uncol/schedule.ts';
import { collaborationSettingsSchema, optimiserOf } from '../../server/src/uncol/settings.ts';
import { drawBalls, drawBatch, supervisedProgram } from '../parity/supervised.ts';
import type { Task } from '../parity/torch.ts';
import { openPeer, type Peer } from './peer.ts';

/** A student on images of one size, as rounds and the server use it. */
export interface Scene {
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

/** What is timed: a training step of stage 2, a pass of the served network. */
export const works = ['step', 'forward'] as const;
export type Work = (typeof works)[number];

const flat = { network: 'prob-unet-2d', variant: 'full', classes: 2 } as const;
const solid = { network: 'prob-vnet-3d', variant: 'full', classes: 2 } as const;
const volume = (side: number, count: Scene['count']): Scene => {
  const space = [side, side, side];
  const aim = { step: 1.5, forward: 1.5 };
  const name = `3D, ${space.join(' x ')}`;
  return { name, architecture: solid, space, pairs: 1, served: 1, count, aim, hasTeacher: false };
};
/** Those of the aims. */
export const scenes: readonly Scene[] = [
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
const taught = new Map<Architecture, Promise<Float32Array>>();

/** Weights that find something, so that prompts and decisions cost what they do in use. */
export function teach(architecture: Architecture): Promise<Float32Array> {
  const weights = taught.get(architecture) ?? learn(architecture);
  taught.set(architecture, weights);
  return weights;
}

async function learn(architecture: Architecture): Promise<Float32Array> {
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

/** Our side in a process of its own; `engine` by its name, the CPU's unless given. */
export function openOurs(work: string, folder: string, engine = 'onnx-cpu'): Peer {
  const child = fileURLToPath(new URL('stage-two-child.ts', import.meta.url));
  return openPeer(process.execPath, ['--import', 'tsx', child, work, folder, engine]);
}

/** Images and weights of a work, for both sides. */
export function taskOf(scene: Scene, work: Work, weights: Float32Array): Task {
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
