import * as tf from '@tensorflow/tfjs-core';
import { requireArrays, requireState } from '../arrays.ts';
import type { LossProgram, Optimiser, ParameterTable, Trainer, TrainingState } from '../ops.ts';
import { ratesOf } from '../rates.ts';
import { download, tidied, useBackend } from './device.ts';
import { differentiate } from './differentiate.ts';
import { type DeviceState, updated } from './optimiser.ts';

const vectorNames = ['student', 'ema', 'firstMoment', 'secondMoment'] as const;
type Vectors = Readonly<Record<(typeof vectorNames)[number], Float32Array>>;

/** A training step whose state lives on the device of `backend`. */
export function openTrainer(
  program: LossProgram,
  table: ParameterTable,
  optimiser: Optimiser,
  initial: TrainingState,
  backend: string,
): Trainer {
  // WebGPU cannot be read without waiting, so there the state is read at the end of each step.
  const readsAtOnce = backend !== 'webgpu';
  let state: DeviceState | undefined;
  let onHost: Vectors | undefined;
  let step = 0;

  const current = (): DeviceState => {
    if (state === undefined) throw new TypeError('The trainer is disposed of.');
    return state;
  };
  const read = (name: keyof Vectors): Float32Array => onHost?.[name] ?? current()[name].dataSync<'float32'>();
  const replace = (next: DeviceState): void => {
    if (state !== undefined) for (const name of vectorNames) if (state[name] !== next[name]) state[name].dispose();
    state = next;
  };
  const load = (given: TrainingState): void => {
    requireState(given, table);
    useBackend(backend);
    const copies = mapVectors((name) => given[name].slice());
    replace(mapVectors((name) => tf.tensor1d(copies[name], 'float32')));
    onHost = readsAtOnce ? undefined : copies;
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
      if (!readsAtOnce) onHost = (await download(mapVectors((name) => tf.clone(next[name])))) as Vectors;
      const arrays = await download(outputs);
      const [loss, ...values] = (await download({ report }))['report']!;
      return {
        loss: loss!,
        terms: Object.fromEntries(terms.map((name, index) => [name, values[index]!])),
        outputs: arrays,
      };
    },
    get ema() {
      return read('ema');
    },
    state: () => ({ step, ...mapVectors((name) => read(name).slice()) }),
    load,
    async dispose() {
      tf.dispose({ ...state });
      state = undefined;
    },
  };
}

function mapVectors<To>(map: (name: keyof Vectors) => To): Record<keyof Vectors, To> {
  return {
    student: map('student'),
    ema: map('ema'),
    firstMoment: map('firstMoment'),
    secondMoment: map('secondMoment'),
  };
}
