import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { type Card, cardSchema } from './card.ts';
import { checkSignature, type SigningKey } from './signature.ts';

/** One version of a model: a folder with `card.json` and the file of weights that the card names. */
export interface ModelVersion {
  readonly card: Card;
  readonly folder: string;
  /** `seed`: part of the repository, read-only; `service`: made by a round, in `UNCOL_HOME/models`. */
  readonly origin: 'seed' | 'service';
}

/** A version with whether requests by name get it. */
export interface ListedVersion extends ModelVersion {
  readonly inService: boolean;
}

/** The models of a server. Folders never change once they have a card. */
export interface Registry {
  /** Every version, by name, then newest first. */
  list(): Promise<readonly ListedVersion[]>;
  /**
   * `name`: the version in service; `name@version`: that one.
   * @throws AppError `model-not-found`, naming what there is; `model-invalid`, also where a version made in service is
   *   not signed by this server or was changed.
   */
  resolve(reference: string): Promise<ListedVersion>;
}

export interface RegistryOptions {
  /** `models/` of the repository. */
  readonly seedFolder: string;
  /** `UNCOL_HOME/models`; need not exist. */
  readonly serviceFolder: string;
  /** Versions put in service by promotions; a model that is absent serves its highest seed. */
  readonly aliases: () => Promise<ReadonlyMap<string, number>>;
  /** Key by which versions made in service must be signed; without one they are taken as they are. */
  readonly signingKey?: () => Promise<SigningKey>;
}

/** `models/` of this repository. */
export const seedFolder = new URL('../../../models/', import.meta.url);

export function createRegistry(options: RegistryOptions): Registry {
  const kept: KeptVersions = new Map();
  const list = async () => {
    const [seeds, made, aliases] = await Promise.all([
      readVersions(options.seedFolder, 'seed', kept),
      readVersions(options.serviceFolder, 'service', kept),
      options.aliases(),
    ]);
    const found = [...seeds, ...made];
    const serving = servingVersions(found, aliases);
    return found
      .map((version) => ({ ...version, inService: serving.get(version.card.name) === version.card.version }))
      .sort((a, b) => compare(a.card.name, b.card.name) || b.card.version - a.card.version);
  };
  return {
    list,
    async resolve(reference) {
      const [name, version] = reference.split('@');
      const versions = await list();
      const wanted = versions.find(
        ({ card, inService }) =>
          card.name === name && (version === undefined ? inService : card.version === Number(version)),
      );
      if (wanted?.origin === 'service' && options.signingKey) {
        await checkSignature(wanted.folder, (await options.signingKey()).public);
      }
      if (wanted) return wanted;
      const known = versions.map(({ card }) => `${card.name}@${card.version}`);
      throw new AppError('model-not-found', `There is no model ${reference}; there is ${known.join(', ') || 'none'}.`, {
        known,
      });
    },
  };
}

/**
 * The weights of a version, as bytes of the canonical fp16 vector, read only after their sha256 has been compared.
 * @throws AppError `model-invalid`
 */
export async function readWeights(model: ModelVersion): Promise<Buffer> {
  const { file, sha256 } = model.card.weights;
  const bytes = await readFile(join(model.folder, basename(file))).catch((cause) => {
    throw new AppError('model-invalid', `${nameOf(model)} has no readable file ${basename(file)}.`, {}, { cause });
  });
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) {
    throw new AppError('model-invalid', `The weights of ${nameOf(model)} do not match their card.`, {
      expected: sha256.slice(0, 12),
      found: found.slice(0, 12),
    });
  }
  return bytes;
}

/** Whether a model was made for series of this modality. */
export function fits(card: Pick<Card, 'filter'>, series: { readonly modality: string }): boolean {
  return card.filter.modality.some((modality) => modality === series.modality);
}

/**
 * Whether a model may learn from a series that nobody corrected. What is labelled with another body part must not teach;
 * whether a mislabelled series is segmented is the reader's to say.
 */
export function mayTeach(
  card: Pick<Card, 'filter'>,
  series: { readonly modality: string; readonly bodyPart: string },
): boolean {
  const { bodyPart } = card.filter;
  return fits(card, series) && (bodyPart.length === 0 || series.bodyPart === '' || bodyPart.includes(series.bodyPart));
}

/** @throws AppError `series-modality-mismatch` unless {@link fits}. */
export function requireFit(card: Card, series: { readonly modality: string }): void {
  if (fits(card, series)) return;
  const wanted = card.filter.modality;
  throw new AppError(
    'series-modality-mismatch',
    `${card.name} is for ${wanted.join(', ')}; the series is ${series.modality || 'of no modality'}.`,
    { modality: series.modality, wanted },
  );
}

/** Reads one folder. @throws AppError `model-invalid` when the card is not valid or names another model. */
export async function readVersion(folder: string, origin: ModelVersion['origin']): Promise<ModelVersion | undefined> {
  const text = await readFile(join(folder, 'card.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  // A folder without a card is one in the making: the card is written last.
  if (text === undefined) return undefined;
  const parsed = cardSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    const where = parsed.error.issues.map((issue) => issue.path.join('.') || 'card').slice(0, 5);
    throw new AppError('model-invalid', `The card in ${folder} is not valid at ${where.join(', ')}.`);
  }
  const { name, version } = parsed.data;
  if (!folder.endsWith(join(name, String(version)))) {
    throw new AppError('model-invalid', `The folder ${folder} holds the card of ${name}@${version}.`);
  }
  return { card: parsed.data, folder, origin };
}

/** Versions as they were read, by folder: a card is read again when its file is another. */
type KeptVersions = Map<string, { readonly file: string; readonly version: ModelVersion }>;

async function readVersions(
  root: string,
  origin: ModelVersion['origin'],
  kept: KeptVersions,
): Promise<readonly ModelVersion[]> {
  const ofNames = (await subfolders(root)).map(async (name) => {
    const numbers = (await subfolders(join(root, name))).filter((version) => /^\d+$/.test(version));
    return Promise.all(numbers.map((version) => readKept(join(root, name, version), origin, kept)));
  });
  return (await Promise.all(ofNames)).flat().filter((version) => version !== undefined);
}

async function readKept(
  folder: string,
  origin: ModelVersion['origin'],
  kept: KeptVersions,
): Promise<ModelVersion | undefined> {
  const found = await stat(join(folder, 'card.json'), { bigint: true }).catch(() => undefined);
  const file = `${found?.ino} ${found?.size} ${found?.ctimeNs}`;
  const known = kept.get(folder);
  if (found && known?.file === file) return known.version;
  const version = await readVersion(folder, origin);
  if (version) kept.set(folder, { file, version });
  return version;
}

async function subfolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

function servingVersions(
  found: readonly ModelVersion[],
  aliases: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const serving = new Map<string, number>();
  for (const { card, origin } of found) {
    if (origin === 'seed') serving.set(card.name, Math.max(card.version, serving.get(card.name) ?? 0));
  }
  for (const [name, version] of aliases) serving.set(name, version);
  return serving;
}

function nameOf({ card }: ModelVersion): string {
  return `${card.name}@${card.version}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
