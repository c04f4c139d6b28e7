import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Arrays, Engine, LossProgram, Optimiser, Trainer } from '../../server/src/engine/ops.ts';
import { relativeDifference } from '../../server/src/engine/trial.ts';
import { initialise, initialState } from '../../server/src/engine/vectors.ts';
import { normals } from '../unit/engine/finite-differences.ts';
import { cpu, placed, webgpu, withoutAdapter } from './webgpu.ts';

/** A small classifier, and a long vector: a state of 6 MB is seen if one is left behind in each step. */
const program: LossProgram = {
  inputs: { image: [2, 1, 8, 8], target: [2, 3] },
  build(ops, parameters, { image, target }) {
    const get = (name: string, ...shape: number[]) =>
      parameters.get(name, shape, { kind: 'uniform', bound: shape.slice(1).reduce((a, b) => a * b, 1) ** -0.5 });
    const features = ops.leakyRelu(ops.instanceNorm(ops.conv(image!, get('conv', 4, 1, 3, 3))), 0.1);
    const hidden = ops.gelu(ops.matmul(ops.reshape(ops.maxPool2(features), [2, 64]), get('hidden', 64, 32)));
    const logits = ops.logSoftmax(ops.matmul(hidden, get('out', 32, 3)), 1);
    const long = ops.mean(ops.square(get('long', 400_000, 1)));
    return { loss: ops.sub(long, ops.mean(ops.mul(logits, target!))), terms: { long }, outputs: { logits } };
  },
};
const sgd = { kind: 'sgd', momentum: 0.9, weightDecay: 1e-3 } as const;
const adamw = { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 1e-4 } as const;
const start = initialState(initialise(cpu.table(program), 3));
const rates = { learningRate: 1e-2, emaDecay: 0.9 };

/** Five batches in turn, so that there is something to learn. */
const inputsOf = (step: number): Arrays => ({
  image: normals(100 + (step % 5), 2 * 64),
  target: Float32Array.from({ length: 6 }, (_, index) => (index % 3 === (step % 5) % 3 ? 1 : 0)),
});

async function train(trainer: Trainer, steps: readonly number[]): Promise<number[]> {
  const losses: number[] = [];
  for (const step of steps) losses.push((await trainer.step(inputsOf(step), rates)).loss);
  return losses;
}

async function run(engine: Engine, optimiser: Optimiser, steps: number) {
  const trainer = await engine.trainer(program, optimiser, start);
  try {
    const losses = await train(trainer, [...Array(steps).keys()]);
    return { losses, state: await trainer.state() };
  } finally {
    await trainer.dispose();
  }
}

function near(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  for (const [step, loss] of expected.entries()) {
    assert.ok(Math.abs(actual[step]! - loss) <= tolerance * loss, `step ${step}: ${actual[step]}, expected ${loss}`);
  }
}

describe('state of a trainer on WebGPU', { skip: withoutAdapter }, () => {
  it('stays there for 50 steps that learn as on the CPU, and leaves no memory behind', async (test) => {
    const { losses } = await run(cpu, adamw, 50);
    assert.ok(losses[49]! < 0.5 * losses[0]!, `${losses}`);
    const trainer = await webgpu.trainer(program, adamw, start);
    const first = await train(trainer, [...Array(10).keys()]);
    const before = process.memoryUsage.rss();
    const rest = await train(
      trainer,
      [...Array(40).keys()].map((step) => 10 + step),
    );
    const grownMb = (process.memoryUsage.rss() - before) / 1e6;
    await trainer.dispose();
    // Losses only: AdamW divides noise by noise where a gradient is nearly zero.
    near([...first, ...rest], losses, 1e-3);
    test.diagnostic(`the process grew by ${grownMb.toFixed(1)} MB in 40 steps`);
    // One state left behind in each step would be 260 MB.
    assert.ok(grownMb < 80, `${grownMb} MB more after 40 steps`);
  });

  it('is that of the CPU, vector by vector', async () => {
    const expected = await run(cpu, sgd, 10);
    const result = await run(webgpu, sgd, 10);
    near(result.losses, expected.losses, 1e-5);
    assert.equal(result.state.step, 10);
    for (const name of ['student', 'ema', 'firstMoment'] as const) {
      const difference = relativeDifference(result.state[name], expected.state[name]);
      assert.ok(difference < 1e-5, `${name}: ${difference}`);
    }
    // Not written by this optimiser.
    assert.deepEqual(result.state.secondMoment, expected.state.secondMoment);
  });

  it('is read by a follower where it lies, after steps and after a load', async () => {
    const trainer = await webgpu.trainer(program, adamw, start);
    const follower = await trainer.follower({
      inputs: { x: [1, 3] },
      build: (ops, parameters, { x }) => {
        const weights = parameters.get('out', [32, 3], { kind: 'zeros' });
        return { y: ops.sum(ops.mul(weights, x!), [0]) };
      },
    });
    const row = trainer.table.rows.find(({ name }) => name === 'out')!;
    const check = async (): Promise<void> => {
      const { ema } = await trainer.state();
      const { y } = await follower.run({ x: Float32Array.of(1, 2, 3) });
      const expected = [0, 0, 0];
      for (let at = 0; at < 96; at += 1) expected[at % 3]! += ((at % 3) + 1) * ema[row.offset + at]!;
      for (const [n, value] of expected.entries()) assert.ok(Math.abs(y![n]! - value) < 1e-4, `${y} ${expected}`);
    };
    await check();
    const before = await trainer.state();
    await train(trainer, [0, 1, 2]);
    await check();
    await trainer.load(before);
    await check();
    await follower.dispose();
    await trainer.dispose();
  });

  it('is computed on the device, optimiser and EMA included', async () => {
    for (const optimiser of [sgd, adamw]) {
      const { placement } = await placed((engine) => run(engine, optimiser, 2));
      assert.ok(placement.onDevice > 100);
      assert.deepEqual(placement.elsewhere, []);
    }
  });

  it('goes on bit by bit from where it was stopped, loaded or opened', async () => {
    const trainer = await webgpu.trainer(program, adamw, start);
    await train(trainer, [0, 1, 2]);
    const middle = await trainer.state();
    const losses = await train(trainer, [3, 4]);
    const end = await trainer.state();
    await trainer.load(middle);
    assert.deepEqual(await trainer.state(), middle);
    assert.deepEqual(await train(trainer, [3, 4]), losses);
    assert.deepEqual(await trainer.state(), end);
    await assert.rejects(trainer.load(initialState(new Float32Array(3))), RangeError);
    await trainer.dispose();
    const opened = await webgpu.trainer(program, adamw, middle);
    assert.deepEqual(await train(opened, [3, 4]), losses);
    assert.deepEqual(await opened.state(), end);
    await opened.dispose();
  });
});
