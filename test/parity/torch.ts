import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Arrays, ParameterTable } from '../../server/src/engine/ops.ts';
import type { UnetConfig } from '../../server/src/student/prob-unet.ts';
import { type BatchSize, stageOneProgram } from './stage-one.ts';

/** Debian's own interpreter: only it sees Debian's python3-torch. */
export const python = '/usr/bin/python3';
export const script = fileURLToPath(new URL('../bench/engine_step.py', import.meta.url));

/** Version of PyTorch, or why there is none. */
export function findTorch(): { readonly version: string } | { readonly missing: string } {
  const found = spawnSync(python, ['-c', 'import numpy, torch; print(torch.__version__)'], { encoding: 'utf8' });
  if (found.status === 0) return { version: found.stdout.trim() };
  const reason = found.error?.message ?? found.stderr.trim().split('\n').at(-1);
  return { missing: `PyTorch is not installed (apt-get install python3-torch python3-numpy): ${reason}` };
}

/** What both sides compute. */
export interface Task {
  readonly config: UnetConfig;
  readonly size: BatchSize;
  readonly table: ParameterTable;
  readonly weights: Float32Array;
  readonly inputs: Arrays;
  readonly threads: number;
}

/** Writes the task as `engine_step.py` reads it, lends its folder to `use` and removes it. */
export async function withTaskFolder<Result>(task: Task, use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-torch-'));
  try {
    const { config, size, table, threads } = task;
    const { inputs } = stageOneProgram(config, size);
    const description = { config, table: table.rows, inputs, threads };
    await writeFile(join(folder, 'task.json'), JSON.stringify(description));
    for (const [name, array] of Object.entries({ ...task.inputs, weights: task.weights }))
      await writeFile(join(folder, `${name}.f32`), new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Loss and gradient of stage 1, and the served probabilities, as PyTorch finds them. */
export async function askTorch(
  task: Task,
): Promise<{ readonly loss: number; readonly gradient: Float32Array; readonly probabilities: Float32Array }> {
  return withTaskFolder(task, async (folder) => {
    const { loss } = JSON.parse(execFileSync(python, [script, 'check', folder], { encoding: 'utf8' })) as {
      readonly loss: number;
    };
    const read = async (name: string) => new Float32Array(Uint8Array.from(await readFile(join(folder, name))).buffer);
    return { loss, gradient: await read('gradient.f32'), probabilities: await read('probabilities.f32') };
  });
}
