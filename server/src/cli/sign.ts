import { resolve } from 'node:path';
import { writeSignature } from '../candidate/write-version.ts';
import { loadSettings } from '../config/load.ts';
import { AppError } from '../errors/app-error.ts';
import { readVersion, readWeights } from '../registry/registry.ts';
import { openSigningKey } from '../registry/signature.ts';
import type { Outcome } from './output.ts';

/** Signs a version folder that came from elsewhere, after its card and its weights have been checked. */
export async function runSign(path: string): Promise<Outcome> {
  const folder = resolve(path);
  const version = await readVersion(folder, 'service');
  if (!version) throw new AppError('model-invalid', `${folder} holds no card.json.`);
  await readWeights(version);
  await writeSignature(folder, await openSigningKey(loadSettings())());
  const { name, version: number, weights } = version.card;
  return {
    json: { model: { name, version: number, sha256: weights.sha256 }, folder },
    lines: [`${name}@${number} is signed: this server may serve it.`],
  };
}
