import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Arrays, Engine, LossProgram, Optimiser, TrainingState } from '../../../server/src/engine/ops.ts';
import { initialise, initialState } from '../../../server/src/engine/vectors.ts';
import { studentOf } from '../../../server/src/student/architecture.ts';
import { normals } from './finite-differences.ts';

/** loss = a0 x0 + a1 x1, whose gradient is the input `a`. */
const linear: LossProgram = {
  inputs: { a: [2] },
  build: (ops, parameters, { a }) => {
    const x = parameters.get('x', [2], { kind: 'zeros' });
    return {
      loss: ops.sum(ops.mul(x, a!)),
      terms: { first: ops.slice(x, 0, 0, 1) },
      outputs: { doubled: ops.add(x, x) },
    };
  },
};

function near(actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-6): void {
  for (const [index, value] of expected.entries()) {
    const seen = actual[index]!;
    assert.ok(
      Math.abs(seen - value) <= tolerance * Math.max(1, Math.abs(value)),
      `${index}: ${seen}, expected ${value}`,
    );
  }
}

async function stepsOf(
  engine: Engine,
  optimiser: Optimiser,
  gradients: readonly (readonly number[])[],
): Promise<TrainingState[]> {
  const trainer = await engine.trainer(linear, optimiser, initialState(Float32Array.of(1, -2)));
  const states: TrainingState[] = [];
  for (const gradient of gradients) {
    await trainer.step({ a: Float32Array.from(gradient) }, { learningRate: 0.1, emaDecay: 0.75 });
    const state = await trainer.state();
    states.push(state);
  }
  await trainer.dispose();
  return states;
}

/** The formulas of both optimisers, what a step gives, and what it refuses. */
export function testTrainer(engine: Engine): void {
  it('a trainer follows gradient descent with momentum and coupled weight decay', async () => {
    const [first, second] = await stepsOf(engine, { kind: 'sgd', momentum: 0.9, weightDecay: 0.01 }, [
      [1, 2],
      [3, -1],
    ]);
    // m1 = g1 + 0.01 x0 = [1.01, 1.98]; x1 = x0 - 0.1 m1.
    near(first!.firstMoment, [1.01, 1.98]);
    near(first!.student, [0.899, -2.198]);
    near(first!.ema, [0.75 + 0.25 * 0.899, -1.5 + 0.25 * -2.198]);
    // m2 = 0.9 m1 + g2 + 0.01 x1.
    near(second!.firstMoment, [0.909 + 3 + 0.00899, 1.782 - 1 - 0.02198]);
    near(second!.student, [0.899 - 0.391799, -2.198 - 0.076002]);
    assert.equal(second!.step, 2);
  });

  it('a trainer follows AdamW with bias correction and decoupled weight decay', async () => {
    const optimiser = { kind: 'adamw', beta1: 0.9, beta2: 0.99, epsilon: 1e-3, weightDecay: 0.1 } as const;
    const [first, second] = await stepsOf(engine, optimiser, [
      [1, 2],
      [3, -1],
    ]);
    let [student, ema, m, v] = [1, 1, 0, 0];
    for (const [index, gradient] of [1, 3].entries()) {
      m = 0.9 * m + 0.1 * gradient;
      v = 0.99 * v + 0.01 * gradient ** 2;
      const corrected = Math.sqrt(v / (1 - 0.99 ** (index + 1))) + 1e-3;
      student = student * (1 - 0.1 * 0.1) - (0.1 * m) / (1 - 0.9 ** (index + 1)) / corrected;
      ema = 0.75 * ema + 0.25 * student;
      const state = index === 0 ? first! : second!;
      near([state.student[0]!, state.ema[0]!, state.firstMoment[0]!, state.secondMoment[0]!], [student, ema, m, v]);
    }
  });

  it('a trainer copies the student into the EMA where the decay is 0', async () => {
    const trainer = await engine.trainer(
      linear,
      { kind: 'sgd', momentum: 0, weightDecay: 0 },
      initialState(Float32Array.of(1, 1)),
    );
    await trainer.step({ a: Float32Array.of(1, 2) }, { learningRate: 0.5, emaDecay: 0 });
    const { ema, student } = await trainer.state();
    await trainer.dispose();
    assert.deepEqual(ema, student);
    near(student, [0.5, 0]);
  });

  it('a follower reads the EMA as it stands at each run, and only what its text asks for', async () => {
    const two: LossProgram = {
      inputs: linear.inputs,
      build(ops, parameters, inputs) {
        const before = parameters.get('before', [1], { kind: 'zeros' });
        const { loss, terms } = linear.build(ops, parameters, inputs);
        return { loss: ops.add(loss, ops.sum(before)), terms };
      },
    };
    const start = initialState(Float32Array.of(7, 1, -2));
    const trainer = await engine.trainer(two, { kind: 'sgd', momentum: 0, weightDecay: 0 }, start);
    const follower = await trainer.follower({
      inputs: { b: [2, 2] },
      build: (ops, parameters, { b }) => ({ y: ops.mul(b!, parameters.get('x', [2], { kind: 'zeros' })) }),
    });
    for (let step = 0; step < 3; step += 1) {
      const { ema } = await trainer.state();
      const { y } = await follower.run({ b: Float32Array.of(1, 1, 2, 3) });
      near(y!, [ema[1]!, ema[2]!, 2 * ema[1]!, 3 * ema[2]!]);
      const { y: first } = await follower.run({ b: Float32Array.of(5, 6) });
      near(first!, [5 * ema[1]!, 6 * ema[2]!]);
      await trainer.step({ a: Float32Array.of(3, -1) }, { learningRate: 0.1, emaDecay: 0.75 });
    }
    await assert.rejects(
      trainer.follower({
        inputs: {},
        build: (ops, parameters) => ({ y: ops.neg(parameters.get('z', [2], { kind: 'zeros' })) }),
      }),
      { name: 'RangeError', message: /parameter z/ },
    );
    await follower.dispose();
    await trainer.dispose();
  });

  it('a trainer gives loss, terms and outputs of the weights before the step', async () => {
    const optimiser = { kind: 'sgd', momentum: 0, weightDecay: 0 } as const;
    const trainer = await engine.trainer(linear, optimiser, initialState(Float32Array.of(3, 4)));
    const result = await trainer.step({ a: Float32Array.of(1, 2) }, { learningRate: 1, emaDecay: 1 });
    await trainer.dispose();
    assert.equal(result.loss, 11);
    assert.deepEqual(result.terms, { first: 3 });
    assert.deepEqual(result.outputs, { doubled: Float32Array.of(6, 8) });
  });

  it('a trainer refuses inputs that are missing, unknown or of the wrong size', async () => {
    const optimiser = { kind: 'sgd', momentum: 0, weightDecay: 0 } as const;
    const trainer = await engine.trainer(linear, optimiser, initialState(Float32Array.of(3, 4)));
    const rates = { learningRate: 1, emaDecay: 1 };
    await assert.rejects(trainer.step({}, rates), /input a: missing/);
    await assert.rejects(trainer.step({ a: new Float32Array(2), b: new Float32Array(1) }, rates), /input b/);
    await assert.rejects(trainer.step({ a: new Float32Array(3) }, rates), /input a: 3 values for shape \[2\]/);
    await assert.rejects(trainer.load(initialState(new Float32Array(3))), /3 values for 2 parameters/);
    await trainer.dispose();
  });
}

/** Training of a whole student goes on from any state as if it had never stopped. */
export function testResuming(engine: Engine, steps: number): void {
  const student = studentOf({ network: 'prob-unet-2d', variant: 'lite', classes: 2 });
  const dropout = student.dropoutShapes(2, [32, 32]);
  const program: LossProgram = {
    inputs: {
      image: [2, 1, 32, 32],
      target: [2, 2, 32, 32],
      ...Object.fromEntries(dropout.map((s, i) => [`d${i}`, s])),
    },
    build(ops, parameters, inputs) {
      const masks = dropout.map((_, level) => inputs[`d${level}`]!);
      const { logits } = student.forward(ops, parameters, inputs['image']!, { dropout: masks });
      const loss = ops.neg(ops.mean(ops.mul(ops.logSoftmax(logits, 1), inputs['target']!)));
      return { loss, terms: {} };
    },
  };
  const optimiser = { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 1e-4 } as const;
  const inputsOf = (step: number): Arrays =>
    Object.fromEntries(
      Object.entries(program.inputs).map(([name, shape], index) => {
        const count = shape.reduce((product, size) => product * size, 1);
        return [
          name,
          normals(1 + 31 * step + index, count).map((value) => (name === 'image' ? value : Math.abs(value))),
        ];
      }),
    );
  const run = async (state: TrainingState, steps: number): Promise<{ state: TrainingState; losses: number[] }> => {
    const trainer = await engine.trainer(program, optimiser, state);
    const losses: number[] = [];
    for (let step = state.step; step < state.step + steps; step += 1) {
      losses.push((await trainer.step(inputsOf(step), { learningRate: 1e-3, emaDecay: 0.9 })).loss);
    }
    const end = await trainer.state();
    await trainer.dispose();
    return { state: end, losses };
  };

  it('training is bitwise the same again, whole or stopped and resumed', async () => {
    const start = initialState(initialise(engine.table(program), 3));
    const stop = Math.floor(0.4 * steps);
    const whole = await run(start, steps);
    const half = await run(start, stop);
    const resumed = await run(half.state, steps - stop);
    assert.deepEqual([...half.losses, ...resumed.losses], whole.losses);
    assert.deepEqual(resumed.state, whole.state);
    assert.ok(whole.state.student.every(Number.isFinite));
    assert.notDeepEqual(whole.state.student, start.student);
  });
}
