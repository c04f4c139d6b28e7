import { engineName } from './choose.ts';
import type { Arrays, Engine, ForwardProgram, LossProgram, Ops, Parameters, Tensor } from './ops.ts';
import { Random } from './random.ts';
import { initialise, initialState } from './vectors.ts';

/** What a small training step and a small forward run gave; the same on every engine but for rounding. */
export interface Trial {
  /** Name of the engine. */
  readonly name: string;
  readonly loss: number;
  readonly gradient: Float32Array;
  /** Of the network after `steps` steps, [N,C,H,W]. */
  readonly probabilities: Float32Array;
  /** Median time of a step after the first, milliseconds. */
  readonly stepMs: number;
}

const steps = 4;
const [batch, side, classes] = [2, 16, 3];
const image = [batch, 1, side, side];
const target = [batch, classes, side, side];
const optimiser = { kind: 'sgd', momentum: 0.9, weightDecay: 1e-4 } as const;
const rates = { learningRate: 0.01, emaDecay: 0.9 };

/** Runs it; takes a second or so on a CPU. Throws what the engine throws. */
export async function tryEngine(engine: Engine): Promise<Trial> {
  const table = engine.table(training);
  const weights = initialise(table, 1);
  const inputs = { image: noise('image', image), target: noise('target', target).map(Math.abs) };
  const { loss, gradient } = await engine.gradients(training, weights, inputs);
  const trainer = await engine.trainer(training, optimiser, initialState(weights));
  const times: number[] = [];
  let student: Float32Array;
  try {
    for (let step = 0; step < steps; step += 1) {
      const startedAt = performance.now();
      await trainer.step(inputs, rates);
      times.push(performance.now() - startedAt);
    }
    ({ student } = await trainer.state());
  } finally {
    await trainer.dispose();
  }
  const probabilities = await runForward(engine, student, { image: inputs.image });
  // The first step compiles.
  const stepMs = times.slice(1).sort((a, b) => a - b)[Math.floor((steps - 1) / 2)] ?? Number.NaN;
  return { name: engineName(engine), loss, gradient, probabilities, stepMs };
}

/** The largest of the relative differences of loss, gradient and probabilities; lengths in the Euclidean norm. */
export function compareTrials(trial: Trial, reference: Trial): number {
  const pairs = [
    [Float32Array.of(trial.loss), Float32Array.of(reference.loss)],
    [trial.gradient, reference.gradient],
    [trial.probabilities, reference.probabilities],
  ] as const;
  return Math.max(...pairs.map(([actual, expected]) => relativeDifference(actual, expected)));
}

/** Length of the difference over the length of `expected`; NaN where the sizes differ. */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Number.NaN;
  let [distance, length] = [0, 0];
  for (const [index, value] of expected.entries()) {
    distance += ((actual[index] ?? Number.NaN) - value) ** 2;
    length += value ** 2;
  }
  return Math.sqrt(distance / length);
}

/** A U-Net of two levels: the operators on which a student spends its time. */
function logitsOf(ops: Ops, parameters: Parameters, x: Tensor): Tensor {
  const conv = (name: string, input: Tensor, channels: number, size: number): Tensor => {
    const inputs = input.shape[1]!;
    const initial = { kind: 'uniform', bound: (inputs * size ** 2) ** -0.5 } as const;
    return ops.conv(input, parameters.get(name, [channels, inputs, size, size], initial));
  };
  const block = (name: string, input: Tensor, channels: number): Tensor =>
    ops.leakyRelu(ops.instanceNorm(conv(name, input, channels, 3)), 0.01);
  const top = block('top', x, 8);
  const bottom = block('bottom', ops.maxPool2(top), 16);
  const joined = ops.concat([top, ops.upsample2(ops.gelu(conv('narrow', bottom, 8, 1)))], 1);
  return conv('head', block('joined', joined, 8), classes, 3);
}

const training: LossProgram = {
  inputs: { image, target },
  build(ops, parameters, inputs) {
    const logits = logitsOf(ops, parameters, inputs['image']!);
    return { loss: ops.neg(ops.mean(ops.mul(ops.logSoftmax(logits, 1), inputs['target']!))), terms: {} };
  },
};

const serving: ForwardProgram = {
  inputs: { image },
  build: (ops, parameters, inputs) => ({
    probabilities: ops.softmax(logitsOf(ops, parameters, inputs['image']!), 1),
  }),
};

async function runForward(engine: Engine, weights: Float32Array, inputs: Arrays): Promise<Float32Array> {
  const predictor = await engine.predictor(serving, { frozen: true });
  try {
    const { probabilities } = await predictor.run(weights, inputs);
    return probabilities!;
  } finally {
    await predictor.dispose();
  }
}

function noise(name: string, shape: readonly number[]): Float32Array {
  const random = Random.for(1, 'trial', name);
  return Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () => random.normal());
}
