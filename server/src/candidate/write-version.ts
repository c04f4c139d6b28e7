import { createHash } from 'node:crypto';
import { access, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toHalf } from '../engine/vectors.ts';
import type { Card } from '../registry/card.ts';
import { type SigningKey, signatureFile, signVersion } from '../registry/signature.ts';

/** A card before its weights are known, and after. */
type Draft = Omit<Card, 'weights'>;
type Complete<Rows> = Rows & Pick<Card, 'weights'>;

/** What a model version folder is made of. */
export interface VersionFiles<Rows extends Draft = Draft> {
  readonly card: Rows;
  /** Canonical float32 vector; served as fp16. */
  readonly weights: Float32Array;
  /** Hash of the parameter table the vector is read by. */
  readonly tableHash: string;
  readonly recipe: unknown;
  readonly metrics: unknown;
  /** Signs the version; a version of the repository needs none. */
  readonly signingKey?: SigningKey;
}

const weightsFile = 'student.weights.bin';

/** The card of a version, completed with what its weights are. */
function completeCard<Rows extends Draft>({ card, weights, tableHash }: VersionFiles<Rows>): Complete<Rows> {
  const wanted = card.architecture.inferenceParameters;
  if (weights.length !== wanted)
    throw new RangeError(`${weights.length} weights for a network of ${wanted} parameters`);
  const sha256 = createHash('sha256').update(toHalf(weights)).digest('hex');
  return { ...card, weights: { file: weightsFile, sha256, tableHash } };
}

/** Writes the four files of a version into an existing folder; the card comes last, so a folder with a card is whole. */
export async function writeVersionFiles<Rows extends Draft>(
  folder: string,
  files: VersionFiles<Rows>,
): Promise<Complete<Rows>> {
  const card = completeCard(files);
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  await writeFile(join(folder, weightsFile), toHalf(files.weights), { flush: true });
  await writeFile(join(folder, 'recipe.json'), json(files.recipe), { flush: true });
  await writeFile(join(folder, 'metrics.json'), json(files.metrics), { flush: true });
  await writeFile(join(folder, 'card.json'), json(card), { flush: true });
  return card;
}

/** Puts another card in the place of that of a folder that is not signed, whole at any instant. */
export async function rewriteCard(folder: string, card: Card): Promise<void> {
  const draft = join(folder, 'card.json.draft');
  await writeFile(draft, `${JSON.stringify(card, null, 2)}\n`, { flush: true });
  await rename(draft, join(folder, 'card.json'));
}

/** Signs a whole version folder: this server takes it from then on for its own. */
export async function writeSignature(folder: string, key: SigningKey): Promise<void> {
  const signature = await signVersion(folder, key);
  await writeFile(join(folder, signatureFile), `${JSON.stringify(signature, null, 2)}\n`, { flush: true });
}

/** A new, immutable version folder: there whole or not at all. A folder that is there already is left as it is. */
export async function createVersion<Rows extends Draft>(
  folder: string,
  files: VersionFiles<Rows>,
): Promise<Complete<Rows>> {
  const draft = `${folder}.draft-${process.pid}`;
  await mkdir(dirname(folder), { recursive: true });
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  const card = await writeVersionFiles(draft, files);
  if (files.signingKey) await writeSignature(draft, files.signingKey);
  await syncFolder(draft);
  const exists = await access(join(folder, 'card.json')).then(
    () => true,
    () => false,
  );
  if (exists) await rm(draft, { recursive: true });
  else await rename(draft, folder);
  // The database names the version next: after a loss of power its folder must be there.
  await syncFolder(dirname(folder));
  return card;
}

/** Removes the drafts of versions below `root` that a crash left; call it when nobody writes there. */
export async function removeDrafts(root: string): Promise<void> {
  for (const name of await readdir(root).catch(() => [])) {
    const drafts = (await readdir(join(root, name)).catch(() => [])).filter((entry) => /^\d+\.draft-\d+$/.test(entry));
    for (const draft of drafts) await rm(join(root, name, draft), { recursive: true, force: true });
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}
