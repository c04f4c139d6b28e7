import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import type { Engine } from '../../server/src/engine/ops.ts';
import { availableThreads } from '../../server/src/engine/threads.ts';
import { initialise, initialState } from '../../server/src/engine/vectors.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { drawBatch, supervisedProgram } from '../parity/supervised.ts';
import { findTorch, type Task, withTaskFolder } from '../parity/torch.ts';
import { ratioCells, ratioHead, type Turn, takeTurns } from './paired.ts';
import { openTorch } from './peer.ts';
import { type Bench, type Row, table } from './record.ts';

const architecture = { network: 'prob-unet-2d', variant: 'full', classes: 2 } as const;
const student = studentOf(architecture);
const size = { batch: 4, space: [128, 128] };
const count = { warmUps: 3, pairs: 9 };

/** What is timed: one training step, one pass of the served network. */
const works = ['step', 'forward'] as const;
type Work = (typeof works)[number];

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const torch = findTorch();
  if ('missing' in torch) throw new Error(torch.missing);
  const threads = availableThreads().count;
  const engine = createOnnxEngine({ threads });
  const program = supervisedProgram(student, size);
  const weights = initialise(engine.table(program), 1);
  const task: Task = {
    architecture,
    loss: 'supervised',
    rule: {},
    table: engine.table(program),
    weights,
    shapes: program.inputs,
    inputs: drawBatch(student, size, 1),
    threads,
  };
  return withTaskFolder(task, async (folder) => {
    const ours = await openOurs(engine, task);
    const theirs = openTorch(folder);
    try {
      const rows: Row[] = [];
      for (const work of works) {
        const sides = { ours: ours.turns[work], torch: () => theirs.ask(work) };
        rows.push(...(await takeTurns({ what: work }, sides, count, tell)));
      }
      return rows;
    } finally {
      await ours.close();
      await theirs.close();
    }
  });
}

async function openOurs(engine: Engine, { weights, inputs }: Task) {
  const optimiser = { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 1e-4 } as const;
  const trainer = await engine.trainer(supervisedProgram(student, size), optimiser, initialState(weights));
  const predictor = await engine.predictor(student.inferenceProgram(size.batch, size.space), { frozen: true });
  const image = inputs['images'] ?? new Float32Array(0);
  const timed = async (work: () => Promise<unknown>) => {
    const started = performance.now();
    await work();
    return { ms: performance.now() - started };
  };
  const turns: Readonly<Record<Work, Turn>> = {
    step: () => timed(() => trainer.step(inputs, { learningRate: 1e-3, emaDecay: 0.99 })),
    forward: () => timed(() => predictor.run(weights, { image })),
  };
  return {
    turns,
    async close() {
      await trainer.dispose();
      await predictor.dispose();
    },
  };
}

function report(rows: readonly Row[]): string {
  const names: Readonly<Record<Work, string>> = { step: 'training step', forward: 'forward' };
  const lines = works.map((work) => [names[work], ...ratioCells(rows.filter((row) => row['what'] === work))]);
  return table(['', ...ratioHead], lines);
}

/** Training step and forward of the full student beside the same network in PyTorch. */
export const engineStep: Bench = {
  name: 'engine-step',
  title: 'Training step and forward against PyTorch',
  about: `Full 2D student, ${size.space.join(' x ')}, batch ${size.batch}, as many threads as there are cores on both sides. Step: forward, supervised loss of stage 1, gradients, AdamW, EMA. Forward: probabilities and entropy with frozen weights. PyTorch is Debian's python3-torch, the same network, weights, batch and dropout masks (\`torch/\`; \`test/parity\` shows that losses, gradients and probabilities agree). Ours and PyTorch take turns in one command after ${count.warmUps} turns each to warm up, with a rest of 0.3 s before each, because PyTorch's threads go on spinning after theirs; medians. Other work on the machine slows PyTorch most, whose threads wait by spinning: measure at a low load.`,
  run,
  report,
};
