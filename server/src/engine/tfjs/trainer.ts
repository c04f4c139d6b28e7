import * as tf from '@tensorflow/tfjs-core';
import { requireArrays, requireState } from '../arrays.ts';
import type { LossProgram, Optimiser, ParameterTable, Trainer, TrainingState } from '../ops.ts';
import { ratesOf } from '../rates.ts';
import { download, tidied, useBackend } from './device.ts';
import { differentiate } from './differentiate.ts';
import { type DeviceState, updated } from './optimiser.ts';
import { openFollower } from './predictor.ts';

const vectorNames = ['student', 'ema', 'firstMoment', 'secondMoment'] as const;
type VectorName = (typeof vectorNames)[number];

/** A training step whose state lives on the device of `backend`. */
export function openTrainer(
  program: LossProgram,
  table: ParameterTable,
  optimiser: Optimiser,
  initial: TrainingState,
  backend: string,
): Trainer {
  let state: DeviceState | undefined;
  let step = 0;

  const current = (): DeviceState => {
    if (state === undefined) throw new TypeError('The trainer is disposed of.');
    return state;
  };
  const replace = (next: DeviceState): void => {
    if (state !== undefined) for (const name of vectorNames) if (state[name] !== next[name]) state[name].dispose();
    state = next;
  };
  const load = (given: TrainingState): void => {
    requireState(given, table);
    useBackend(backend);
    replace(mapVectors((name) => tf.tensor1d(given[name].slice(), 'float32')));
    step = given.step;
  };
  load(initial);

  return {
    table,
    async step(inputs, { learningRate, emaDecay }) {
      requireArrays(inputs, program.inputs);
      useBackend(backend);
      const rates = ratesOf(optimiser, step + 1, learningRate, emaDecay);
      const { report, terms, outputs, next } = tidied(() => {
        const { gradient, ...seen } = differentiate(program, table, current().student, inputs);
        return { ...seen, next: updated(optimiser, current(), gradient, rates) };
      });
      replace(next);
      step += 1;
      const arrays = await download(outputs);
      const [loss, ...values] = (await download({ report }))['report']!;
      return {
        loss: loss!,
        terms: Object.fromEntries(terms.map((name, index) => [name, values[index]!])),
        outputs: arrays,
      };
    },
    follower: async (text) => openFollower(text, table, () => current().ema, backend),
    async state() {
      const at = step;
      const vectors = await download(mapVectors((name) => tf.clone(current()[name])));
      return { step: at, ...mapVectors((name) => vectors[name]!) };
    },
    load: async (given) => load(given),
    async dispose() {
      tf.dispose({ ...state });
      state = undefined;
    },
  };
}

function mapVectors<To>(map: (name: VectorName) => To): Record<VectorName, To> {
  return {
    student: map('student'),
    ema: map('ema'),
    firstMoment: map('firstMoment'),
    secondMoment: map('secondMoment'),
  };
}
