import { readFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { rewriteCard, writeSignature } from '../candidate/write-version.ts';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { AppError } from '../errors/app-error.ts';
import type { Card } from '../registry/card.ts';
import { readVersion } from '../registry/registry.ts';
import { openSigningKey } from '../registry/signature.ts';
import { familiarOf } from '../round/data/looks.ts';
import { isGenerated } from '../round/data/sources.ts';
import { type DataAccess, Splits } from '../round/data/splits.ts';
import { parseRecipe, type Recipe, resolveFolders } from '../round/recipe.ts';
import { train } from '../round/train.ts';
import { type Colin27, loadColin27 } from '../sample/colin27.ts';
import { unpackDebian } from '../setup/debian.ts';
import { samplePackages } from '../setup/prepare.ts';
import { createSteps } from '../setup/steps.mjs';
import { openForCommand } from './engine.ts';
import { interruption, type Outcome } from './output.ts';
import { openPacs } from './pacs.ts';
import { openTeacherFor } from './teacher.ts';
import { progressLines } from './train-progress.ts';

/** Trains a version; Ctrl-C stops after the running step, and the same command goes on from there. */
export async function runTrain(recipePath: string, folder: string): Promise<Outcome> {
  const settings = loadSettings();
  const { recipe, access } = await openRecipe(recipePath, settings);
  const card = await train(recipe, {
    ...access,
    folder,
    engine: await openForCommand(settings)(),
    openTeacher: (name, dimension) => openTeacherFor(settings, name, dimension),
    onEvent: progressLines((line) => process.stderr.write(`${line}\n`)),
  });
  // Where the server looks for versions, it takes only what it has signed.
  if (isServed(folder, settings)) await writeSignature(folder, await openSigningKey(settings)());
  const { name, version, weights } = card;
  return {
    json: { model: { name, version, sha256: weights.sha256 }, folder },
    lines: [`${name}@${version} is in ${folder}`],
  };
}

/** Looks at the labelled split of a version that is there, and writes into its card what such images look like. */
export async function runLooks(recipePath: string, folder: string): Promise<Outcome> {
  const settings = loadSettings();
  const found = await readVersion(resolve(folder), 'service');
  if (!found) throw new AppError('model-invalid', `${folder} holds no card.json.`);
  if (isServed(folder, settings)) {
    throw new AppError('request-invalid', `${folder} is where the server takes versions from, which never change.`);
  }
  const { recipe, access } = await openRecipe(recipePath, settings);
  const splits = await Splits.open(recipe, access, ['labelled']);
  const tell = progressLines((line) => process.stderr.write(`${line}\n`));
  try {
    const onSubject = (done: number, all: number) => tell({ kind: 'data', split: 'labelled', done, all });
    const looks: (readonly number[])[] = [];
    for await (const subject of splits.draw('labelled', onSubject)) {
      access.signal.throwIfAborted();
      looks.push(...subject.looks);
    }
    const { familiar: _, ...rest } = found.card;
    const card: Card = { ...rest, ...familiarOf(looks) };
    await rewriteCard(resolve(folder), card);
    const { name, version, familiar } = card;
    const words = familiar
      ? `images are strange from a distance of ${familiar.most} on`
      : 'there are too few images to tell';
    return {
      json: { model: { name, version }, most: familiar?.most ?? null },
      lines: [`${name}@${version}: ${words}.`],
    };
  } finally {
    await splits.close();
  }
}

async function openRecipe(
  path: string,
  settings: Settings,
): Promise<{ readonly recipe: Recipe; readonly access: DataAccess & { readonly signal: AbortSignal } }> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new AppError('recipe-invalid', `${path} cannot be read.`, {}, { cause });
  });
  const recipe = resolveFolders(parseRecipe(text), dirname(path));
  const signal = interruption('Stopping after this step; the same command goes on from the last checkpoint ...');
  const generates = isGenerated(recipe.labelled) || isGenerated(recipe.validation) || isGenerated(recipe.test);
  const access = {
    colin: generates ? await loadAnatomy(settings) : undefined,
    openPacs: (url: string) => openPacs(settings, url),
    maxVoxels: settings.maxVoxels,
    signal,
  };
  return { recipe, access };
}

/** Whether the server looks for versions there. */
function isServed(folder: string, { home }: Settings): boolean {
  return resolve(folder).startsWith(join(resolve(home), 'models') + sep);
}

async function loadAnatomy(settings: Settings): Promise<Colin27> {
  const sampleRoot = await createSteps().run('Sample volumes', (progress) =>
    unpackDebian(settings.home, samplePackages, progress),
  );
  return loadColin27(sampleRoot);
}
