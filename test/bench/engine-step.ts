import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import type { Engine } from '../../server/src/engine/ops.ts';
import { availableThreads } from '../../server/src/engine/threads.ts';
import { initialise, initialState } from '../../server/src/engine/vectors.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { unetConfig } from '../../server/src/student/prob-unet.ts';
import { drawBatch, stageOneProgram } from '../parity/stage-one.ts';
import { findTorch, python, script, type Task, withTaskFolder } from '../parity/torch.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';
import { shorten } from './spread.ts';
import { median } from './statistics.ts';

const architecture = { network: 'prob-unet-2d', variant: 'full', classes: 2 } as const;
const config = unetConfig(architecture.variant, architecture.classes);
const size = { batch: 4, height: 128, width: 128 };
const warmUps = 3;
const pairs = 9;

/** What is timed: one training step, one pass of the served network. */
const works = ['step', 'forward'] as const;
type Work = (typeof works)[number];
type Runs = Readonly<Record<Work, () => Promise<number>>>;

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const torch = findTorch();
  if ('missing' in torch) throw new Error(torch.missing);
  const threads = availableThreads().count;
  const engine = createOnnxEngine({ threads });
  const program = stageOneProgram(config, size);
  const weights = initialise(engine.table(program), 1);
  const task: Task = {
    config,
    size,
    table: engine.table(program),
    weights,
    inputs: drawBatch(config, size, 1),
    threads,
  };
  return withTaskFolder(task, async (folder) => {
    const ours = await openOurs(engine, task);
    const theirs = openTorch(folder);
    try {
      const rows: Row[] = [];
      for (const work of works) {
        for (let pair = 1 - warmUps; pair <= pairs; pair += 1) {
          const oursMs = await ours.runs[work]();
          const torchMs = await theirs.runs[work]();
          if (pair < 1) continue;
          const row = { what: work, pair, oursMs: rounded(oursMs), torchMs: rounded(torchMs) };
          tell(JSON.stringify(row));
          rows.push(row);
        }
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
  const trainer = await engine.trainer(stageOneProgram(config, size), optimiser, initialState(weights));
  const served = studentOf(architecture).inferenceProgram(size.batch, [size.height, size.width]);
  const predictor = await engine.predictor(served, { frozen: true });
  const image = inputs['image'] ?? new Float32Array(0);
  const timed = async (work: () => Promise<unknown>) => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  const runs: Runs = {
    step: () => timed(() => trainer.step(inputs, { learningRate: 1e-3, emaDecay: 0.99 })),
    forward: () => timed(() => predictor.run(weights, { image })),
  };
  return {
    runs,
    async close() {
      await trainer.dispose();
      await predictor.dispose();
    },
  };
}

/** One PyTorch process, idle while we compute. It takes the time itself, so that no pipe counts. */
function openTorch(folder: string) {
  const child = spawn(python, [script, 'serve', folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (work: Work): Promise<number> => {
    child.stdin.write(`${work}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error(`PyTorch ended (exit code ${child.exitCode})`);
    return (JSON.parse(value) as { readonly ms: number }).ms;
  };
  const runs: Runs = { step: () => ask('step'), forward: () => ask('forward') };
  return { runs, close: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, 'exit');
  child.stdin?.end();
  await gone;
}

function rounded(ms: number): number {
  return Number(ms.toFixed(1));
}

function report(rows: readonly Row[]): string {
  const names: Readonly<Record<Work, string>> = { step: 'training step', forward: 'forward' };
  const lines = works.map((work) => {
    const of = rows.filter((row) => row['what'] === work);
    const [ours, torch] = [numbersOf(of, 'oursMs'), numbersOf(of, 'torchMs')];
    const ratios = torch.map((ms, pair) => ms / (ours[pair] ?? Number.NaN));
    const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    const ratio = (median(torch) / median(ours)).toFixed(2);
    return [names[work], shorten(median(ours)), shorten(median(torch)), ratio, range, of.length];
  });
  return table(['', 'ours, ms', 'PyTorch, ms', 'PyTorch / ours', 'of single pairs', 'pairs'], lines);
}

/** Training step and forward of the full student beside the same network in PyTorch. */
export const engineStep: Bench = {
  name: 'engine-step',
  title: 'Training step and forward against PyTorch',
  about: `Full 2D student, ${size.height} x ${size.width}, batch ${size.batch}, as many threads as there are cores on both sides. Step: forward, supervised loss of stage 1, gradients, AdamW, EMA. Forward: probabilities and entropy with frozen weights. PyTorch is Debian's python3-torch, the same network, weights, batch and dropout masks (\`engine_step.py\`; \`test/parity\` shows that losses, gradients and probabilities agree). Ours and PyTorch take turns in one command after ${warmUps} turns each to warm up; medians. Other work on the machine slows PyTorch most, whose threads wait by spinning: measure at a low load.`,
  run,
  report,
};
