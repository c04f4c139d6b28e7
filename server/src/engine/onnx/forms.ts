import type { DeviceFamily } from '../ops.ts';

/**
 * Which operators express a gradient on a device family. Same formulas, other nodes: what is fast on the CPU provider
 * is missing on WebGPU.
 */
export interface Forms {
  /** com.microsoft FusedMatMul takes transposed operands without a copy; otherwise Transpose and MatMul. */
  readonly fusedMatMul: boolean;
  /** `unpool`: MaxPool with indices and MaxUnpool. `equal`: compare with the maximum; ties share the gradient. */
  readonly poolGradient: 'unpool' | 'equal';
  /** `stacked`: one matrix product of shifted copies. `conv`: a convolution of the input with the output gradient. */
  readonly weightGradient: 'stacked' | 'conv';
}

export const formsOf: Readonly<Record<DeviceFamily, Forms>> = {
  cpu: { fusedMatMul: true, poolGradient: 'unpool', weightGradient: 'stacked' },
  gpu: { fusedMatMul: false, poolGradient: 'equal', weightGradient: 'conv' },
};
