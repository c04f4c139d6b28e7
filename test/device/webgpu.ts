import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnxCandidates } from '../../server/src/engine/onnx/candidates.ts';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import type { Engine } from '../../server/src/engine/ops.ts';

// SwiftShader, the emulated GPU that Debian's chromium-common brings, unless another driver is asked for. The loader
// reads this when the first session is opened.
if (!process.env['VK_DRIVER_FILES']) {
  process.env['VK_ICD_FILENAMES'] ??= '/usr/lib/chromium/vk_swiftshader_icd.json';
}

/** Why WebGPU cannot be tested here; false where it can. In CI it must be there. */
export const withoutAdapter: string | false = await findReason();

async function findReason(): Promise<string | false> {
  const webgpu = onnxCandidates.find(({ device }) => device === 'webgpu');
  try {
    await webgpu?.open({ threads: 1 });
    return false;
  } catch (error) {
    if (process.env['CI']) throw error;
    return `no WebGPU adapter: ${error instanceof Error ? error.message : error}`;
  }
}

/** What the tests of this folder compare with. */
export const cpu: Engine = createOnnxEngine({ threads: 2 });

/** On the device, without notes. */
export const webgpu: Engine = createOnnxEngine({ threads: 2, device: 'webgpu' });

// The runtime forgets compiled shaders with its last session, and emulated ones take seconds: this one stays open.
if (!withoutAdapter) {
  await webgpu.predictor({ inputs: { x: [1] }, build: (ops, _, { x }) => ({ y: ops.neg(x!) }) });
}

/** Where the nodes of some runs were computed. */
export interface Placement {
  /** Runs of nodes on the device. */
  readonly onDevice: number;
  /** Operators that ran elsewhere, and where. */
  readonly elsewhere: readonly string[];
}

/** Hands `work` an engine on WebGPU whose sessions note where each node ran. */
export async function placed<Result>(
  work: (engine: Engine) => Promise<Result>,
): Promise<{ readonly result: Result; readonly placement: Placement }> {
  const folder = mkdtempSync(join(tmpdir(), 'uncol-webgpu-'));
  try {
    const result = await work(createOnnxEngine({ threads: 2, device: 'webgpu', profilePrefix: join(folder, 'run') }));
    return { result, placement: readPlacement(folder) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface ProfileEvent {
  readonly cat: string;
  readonly args?: { readonly provider?: string; readonly op_name?: string };
}

function readPlacement(folder: string): Placement {
  const events = readdirSync(folder).flatMap((file): ProfileEvent[] =>
    JSON.parse(readFileSync(join(folder, file), 'utf8')),
  );
  const nodes = events.filter(({ cat, args }) => cat === 'Node' && args?.provider !== undefined);
  const elsewhere = nodes.filter(({ args }) => args?.provider !== 'WebGpuExecutionProvider');
  return {
    onDevice: nodes.length - elsewhere.length,
    elsewhere: [...new Set(elsewhere.map(({ args }) => `${args?.op_name} on ${args?.provider}`))],
  };
}
