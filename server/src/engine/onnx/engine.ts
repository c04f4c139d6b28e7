import type { Arrays, Engine, LossProgram } from '../ops.ts';
import { familyOf } from './forms.ts';
import { frozenPredictor, openPredictor } from './predictor.ts';
import { buildGradients, collectTable, weightsInput } from './programs.ts';
import { bind, bindInputs, Session, type SessionOptions } from './session.ts';
import { openTrainer } from './trainer.ts';

/**
 * The onnx reading: graphs of standard operators, run by onnxruntime. Whether the device is there shows when the first
 * graph is opened; see candidates.ts.
 */
export function createOnnxEngine(options: SessionOptions): Engine {
  if (!Number.isInteger(options.threads) || options.threads < 1) {
    throw new RangeError(`createOnnxEngine: ${options.threads} threads`);
  }
  return {
    reading: 'onnx',
    device: options.device ?? 'cpu',
    table: (program) => collectTable(program),
    gradients: (program, weights, inputs) => runGradients(program, weights, inputs, options),
    trainer: (program, optimiser, initial) => openTrainer(program, optimiser, initial, options),
    predictor: async (program, { frozen = false } = {}) =>
      frozen ? frozenPredictor(program, options) : openPredictor(program, options),
  };
}

async function runGradients(
  program: LossProgram,
  weights: Float32Array,
  inputs: Arrays,
  options: SessionOptions,
): Promise<{ loss: number; gradient: Float32Array }> {
  const built = buildGradients(program, familyOf(options.device));
  const session = await Session.open(built.bytes, options);
  try {
    const feeds = { ...bindInputs(inputs, built.inputs), [weightsInput]: bind(weights, [built.table.size]) };
    const { report, gradient } = await session.run(feeds, { report: null, gradient: null });
    return { loss: report![0]!, gradient: gradient! };
  } finally {
    await session.close();
  }
}
