import type { EngineCandidate, OpenedEngine } from '../candidate.ts';
import { hasVulkanDriver, isSoftwareAdapter } from './adapter.ts';
import { encodeModel } from './encode.ts';
import { createOnnxEngine } from './engine.ts';
import { Graph } from './graph.ts';
import { bind, hasCudaLibraries, type OnnxDevice, Session } from './session.ts';

const longestReason = 200;

/** The onnx reading on each device, the fastest first. */
export const onnxCandidates: readonly EngineCandidate[] = [
  candidate('cuda', () => {
    if (hasCudaLibraries()) return;
    const command = 'node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12';
    throw new Error(`the CUDA libraries of onnxruntime are not installed (\`${command}\` fetches them)`);
  }),
  candidate('webgpu', () => {
    // Without one the runtime finds nothing, too, but writes a warning on our stderr first.
    if (!hasVulkanDriver()) throw new Error('no Vulkan driver is installed');
  }),
  candidate('cpu', () => undefined),
];

/** `check` throws when it is known without opening it that the device is not there. */
function candidate(device: OnnxDevice, check: () => void): EngineCandidate {
  return {
    reading: 'onnx',
    device,
    async open({ threads }): Promise<OpenedEngine> {
      check();
      const options = { threads, device };
      const isSoftware = await tryDevice(options).catch((error: unknown) => {
        throw new Error(reasonOf(error), { cause: error });
      });
      return { engine: createOnnxEngine(options), isSoftware };
    },
  };
}

/** Runs the smallest graph. @returns whether the CPU emulates the device. */
async function tryDevice(options: { readonly threads: number; readonly device: OnnxDevice }): Promise<boolean> {
  const graph = new Graph();
  const x = graph.input('x', [2]);
  const content = graph.content('trial', { y: graph.emit('Add', [x, x], [2]) });
  const session = await Session.open(encodeModel(content, 'UnCoL trial of a device'), options);
  try {
    const { y } = await session.run({ x: bind(Float32Array.of(1, -3), [2]) }, { y: null });
    if (y?.[0] !== 2 || y[1] !== -6) throw new Error(`it adds wrongly: 1 + 1 = ${y?.[0]}, -3 - 3 = ${y?.[1]}`);
    return options.device === 'webgpu' && isSoftwareAdapter();
  } finally {
    await session.close();
  }
}

/** One line of what the runtime says: its own text without the place in its source. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  const said = /was false\.\s*(.+)/s.exec(text)?.[1] ?? text;
  return (said.trim().split('\n')[0] ?? '').slice(0, longestReason);
}
