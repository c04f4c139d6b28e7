import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import type { Volume } from '../volume/volume.ts';
import { chamferDistance } from './distance.ts';
import { readNifti } from './nifti.ts';

/** The Colin27 head: every array lies on the grid of `t1` (181 x 217 x 181, 1 mm). */
export interface Colin27 {
  /** T1-weighted head, uint8. Cerebrospinal fluid is near 45, grey matter near 80, white matter near 112. */
  readonly t1: Volume & { readonly data: Uint8Array };
  /** 1 in the brain with cerebellum and brain stem (1,737 ml), `[slice, row, column]` uint8. */
  readonly brain: Uint8Array;
  /** AAL labels 0..116, `[slice, row, column]` uint8. */
  readonly aal: Uint8Array;
  /**
   * What the generator looks up, `[slice, row, column]` uint16: `256 * shell + t1`, where shell 0 is the brain and
   * shell 1..31 the distance from it in mm.
   */
  readonly tissue: Uint16Array;
}

const shells = 32;
/** Entries of a table indexed by {@link Colin27.tissue}. */
export const tissueCodes = shells * 256;

const cache = new Map<string, Promise<Colin27>>();

/**
 * Reads Colin27 from the unpacked Debian package `mricron-data`, once a process.
 *
 * @param root Folder into which the package was unpacked (it holds `usr/share`).
 * @throws AppError `setup-failed` when a file is missing or not on the common grid.
 */
export function loadColin27(root: string): Promise<Colin27> {
  const cached = cache.get(root);
  if (cached !== undefined) return cached;
  const loading = read(root);
  cache.set(root, loading);
  loading.catch(() => cache.delete(root));
  return loading;
}

async function read(root: string): Promise<Colin27> {
  const [t1, bet, aal] = await Promise.all(['ch2', 'ch2bet', 'aal'].map((name) => readTemplate(root, name)));
  if (t1 === undefined || bet === undefined || aal === undefined) throw new RangeError('three templates expected');
  const brain = bet.data.map((value) => (value > 0 ? 1 : 0));
  return { t1, brain, aal: aal.data, tissue: tissueOf(t1, brain) };
}

async function readTemplate(root: string, name: string): Promise<Volume & { readonly data: Uint8Array }> {
  const file = join(root, 'usr/share/mricron/templates', `${name}.nii.gz`);
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new AppError('setup-failed', `Sample file ${name}.nii.gz of mricron-data is missing.`, {}, { cause });
  });
  const { data, geometry } = readNifti(bytes);
  if (!(data instanceof Uint8Array) || data.length !== 181 * 217 * 181) {
    throw new AppError('setup-failed', `Sample file ${name}.nii.gz is not on the Colin27 grid.`);
  }
  return { data, geometry };
}

function tissueOf(t1: Volume, brain: Uint8Array): Uint16Array {
  const distance = chamferDistance(brain, t1.geometry.size, 3 * shells);
  const tissue = new Uint16Array(brain.length);
  for (let n = 0; n < tissue.length; n++) {
    tissue[n] = Math.min(shells - 1, Math.round(distance[n]! / 3)) * 256 + t1.data[n]!;
  }
  return tissue;
}
