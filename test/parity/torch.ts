import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Arrays, InputShapes, ParameterTable } from '../../server/src/engine/ops.ts';
import type { Architecture } from '../../server/src/student/architecture.ts';
import { unetConfig } from '../../server/src/student/prob-unet.ts';
import { vnetConfig } from '../../server/src/student/prob-vnet.ts';

/** Debian's own interpreter, unless told: only it sees Debian's python3-torch. */
export const python = process.env['UNCOL_BENCH_PYTHON'] ?? '/usr/bin/python3';
/** A script of the PyTorch side. */
export const scriptOf = (name: 'run' | 'operators' | 'ceiling'): string =>
  fileURLToPath(new URL(`../bench/torch/${name}.py`, import.meta.url));

/** Version of PyTorch, or why there is none. */
export function findTorch(): { readonly version: string } | { readonly missing: string } {
  const found = spawnSync(python, ['-c', 'import numpy, torch; print(torch.__version__)'], { encoding: 'utf8' });
  if (found.status === 0) return { version: found.stdout.trim() };
  const reason = found.error?.message ?? found.stderr.trim().split('\n').at(-1);
  return { missing: `PyTorch is not installed (apt-get install python3-torch python3-numpy): ${reason}` };
}

/** What both sides compute. */
export interface Task {
  readonly architecture: Architecture;
  /** Whether the 3D student's ReLUs are GELUs, which have no kink. */
  readonly smooth?: boolean;
  /** Which step: the student alone, stage 1, stage 2. */
  readonly loss: 'supervised' | 'pretraining' | 'collaboration';
  /** Numbers and choices of the loss, by the names of the settings. */
  readonly rule: Readonly<Record<string, unknown>>;
  readonly table: ParameterTable;
  readonly weights: Float32Array;
  readonly shapes: InputShapes;
  readonly inputs: Arrays;
  readonly threads: number;
}

/** Writes the task as `torch/run.py` reads it, lends its folder to `use` and removes it. */
export async function withTaskFolder<Result>(task: Task, use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-torch-'));
  try {
    const { architecture, smooth = false, loss, rule, table, shapes, threads } = task;
    const config =
      architecture.network === 'prob-unet-2d'
        ? unetConfig(architecture.variant, architecture.classes)
        : vnetConfig(architecture.variant, architecture.classes);
    const description = {
      architecture,
      config: { ...config, smooth },
      loss,
      rule,
      table: table.rows,
      inputs: shapes,
      threads,
    };
    await writeFile(join(folder, 'task.json'), JSON.stringify(description));
    for (const [name, array] of Object.entries({ ...task.inputs, weights: task.weights }))
      await writeFile(join(folder, `${name}.f32`), new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Loss, gradient, and served probabilities of the images, as PyTorch finds them in double precision. */
export async function askTorch(
  task: Task,
): Promise<{ readonly loss: number; readonly gradient: Float32Array; readonly probabilities: Float32Array }> {
  return withTaskFolder(task, async (folder) => {
    const { loss } = JSON.parse(execFileSync(python, [scriptOf('run'), 'check', folder], { encoding: 'utf8' })) as {
      readonly loss: number;
    };
    const read = (name: string) => readArray(folder, name);
    return { loss, gradient: await read('gradient'), probabilities: await read('probabilities') };
  });
}

/** `NAME.f32` of a task's folder. */
export async function readArray(folder: string, name: string): Promise<Float32Array> {
  return new Float32Array(Uint8Array.from(await readFile(join(folder, `${name}.f32`))).buffer);
}

/** The task of a folder, for our side of it. */
export async function readTask(folder: string): Promise<Omit<Task, 'table'>> {
  const { inputs: shapes, ...task } = JSON.parse(await readFile(join(folder, 'task.json'), 'utf8')) as Omit<
    Task,
    'inputs'
  > & { readonly inputs: InputShapes };
  const arrays = Object.keys(shapes).map(async (name) => [name, await readArray(folder, name)] as const);
  const inputs = Object.fromEntries(await Promise.all(arrays));
  return { ...task, shapes, inputs, weights: await readArray(folder, 'weights') };
}
