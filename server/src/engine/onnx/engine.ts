import type { Arrays, Engine, LossProgram } from '../ops.ts';
import { openPredictor } from './predictor.ts';
import { buildGradients, collectTable, weightsInput } from './programs.ts';
import { bind, bindInputs, Session, type SessionOptions } from './session.ts';
import { openTrainer } from './trainer.ts';

/** The onnx reading on the CPU: graphs of standard operators, run by onnxruntime. */
export function createOnnxEngine(options: SessionOptions): Engine {
  if (!Number.isInteger(options.threads) || options.threads < 1) {
    throw new RangeError(`createOnnxEngine: ${options.threads} threads`);
  }
  return {
    reading: 'onnx',
    device: 'cpu',
    table: (program) => collectTable(program),
    gradients: (program, weights, inputs) => runGradients(program, weights, inputs, options),
    trainer: (program, optimiser, initial) => openTrainer(program, optimiser, initial, options),
    predictor: (program, { frozen = false } = {}) => openPredictor(program, frozen, options),
  };
}

async function runGradients(
  program: LossProgram,
  weights: Float32Array,
  inputs: Arrays,
  options: SessionOptions,
): Promise<{ loss: number; gradient: Float32Array }> {
  const built = buildGradients(program, 'cpu');
  const session = await Session.open(built.bytes, options);
  try {
    const feeds = { ...bindInputs(inputs, built.inputs), [weightsInput]: bind(weights, [built.table.size]) };
    const { report, gradient } = await session.run(feeds, { report: null, gradient: null });
    return { loss: report![0]!, gradient: gradient! };
  } finally {
    await session.close();
  }
}
