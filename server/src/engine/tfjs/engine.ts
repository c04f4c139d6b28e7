import * as tf from '@tensorflow/tfjs-core';
import { requireArrays, requireWeights } from '../arrays.ts';
import { collectTable } from '../onnx/programs.ts';
import type { Arrays, Engine, LossProgram } from '../ops.ts';
import { download, tidied, useBackend } from './device.ts';
import { differentiate } from './differentiate.ts';
import { openPredictor } from './predictor.ts';
import { openTrainer } from './trainer.ts';

/**
 * The tfjs reading on a backend that load.ts has opened: a text is executed each time it runs, gradients come from
 * TensorFlow.js's tape. One run at a time.
 *
 * @param backend as TensorFlow.js names it.
 * @param device as {@link Engine.device} names it.
 */
export function createTfjsEngine(backend: string, device: string): Engine {
  return {
    reading: 'tfjs',
    device,
    // The graph of a text tells its parameters, and refuses shapes that do not fit, without computing anything.
    table: (program) => collectTable(program),
    gradients: (program, weights, inputs) => runGradients(program, weights, inputs, backend),
    trainer: async (program, optimiser, initial) =>
      openTrainer(program, collectTable(program), optimiser, initial, backend),
    predictor: async (program, { frozen = false } = {}) =>
      openPredictor(program, collectTable(program), frozen, backend),
  };
}

async function runGradients(
  program: LossProgram,
  weights: Float32Array,
  inputs: Arrays,
  backend: string,
): Promise<{ loss: number; gradient: Float32Array }> {
  const table = collectTable(program);
  requireWeights(weights, table);
  requireArrays(inputs, program.inputs);
  useBackend(backend);
  const { report, gradient, outputs } = tidied(() =>
    differentiate(program, table, tf.tensor1d(weights, 'float32'), inputs),
  );
  tf.dispose(outputs);
  const arrays = await download({ report, gradient });
  return { loss: arrays['report']![0]!, gradient: arrays['gradient']! };
}
