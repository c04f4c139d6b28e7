import type { DeviceFamily } from '../ops.ts';
import type { OnnxDevice } from './session.ts';

/**
 * Which operators express a formula on a device family. Same formulas, other nodes: what is fast on the CPU provider is
 * missing on WebGPU, or is claimed by it and fails when it runs.
 */
export interface Forms {
  /** com.microsoft FusedMatMul takes transposed operands without a copy; otherwise Transpose and MatMul. */
  readonly fusedMatMul: boolean;
  /** `unpool`: MaxPool with indices and MaxUnpool. `equal`: compare with the maximum; ties share the gradient. */
  readonly poolGradient: 'unpool' | 'equal';
  /** One Split of the weight vector, or a Slice for each parameter: a Split of many is beyond WebGPU's buffer limit. */
  readonly pieces: 'split' | 'slices';
  /** Sum of many tensors is a node; otherwise Adds. */
  readonly sums: boolean;
  /** LogSoftmax is a node, or written out. */
  readonly logSoftmax: boolean;
  /** `index`: ArgMax and a comparison of integers. `equal`: comparisons of float32 only. */
  readonly argmax: 'index' | 'equal';
  /** `clip`: a huge multiple, clipped. `where`: a comparison, because shaders need not keep infinities. */
  readonly slopes: 'clip' | 'where';
  /**
   * Norms get their mean taken out first: WebGPU's take the variance as mean square less squared mean, which at a mean
   * of 100 standard deviations leaves a relative error of 4e-4.
   */
  readonly centresNorms: boolean;
  /** Small images of a batch are convolved as one, which the CPU provider spreads over more threads. */
  readonly joinsImages: boolean;
}

export const formsOf: Readonly<Record<DeviceFamily, Forms>> = {
  cpu: {
    fusedMatMul: true,
    poolGradient: 'unpool',
    pieces: 'split',
    sums: true,
    logSoftmax: true,
    argmax: 'index',
    slopes: 'clip',
    centresNorms: false,
    joinsImages: true,
  },
  gpu: {
    fusedMatMul: false,
    poolGradient: 'equal',
    pieces: 'slices',
    sums: false,
    logSoftmax: false,
    argmax: 'equal',
    slopes: 'where',
    centresNorms: true,
    joinsImages: false,
  },
};

/** The family of a device. */
export function familyOf(device: OnnxDevice = 'cpu'): DeviceFamily {
  return device === 'cpu' ? 'cpu' : 'gpu';
}
