import { readFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { writeSignature } from '../candidate/write-version.ts';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { AppError } from '../errors/app-error.ts';
import { openSigningKey } from '../registry/signature.ts';
import { isGenerated } from '../round/data/sources.ts';
import { parseRecipe, resolveFolders } from '../round/recipe.ts';
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
  const text = await readFile(recipePath, 'utf8').catch((cause) => {
    throw new AppError('recipe-invalid', `${recipePath} cannot be read.`, {}, { cause });
  });
  const recipe = resolveFolders(parseRecipe(text), dirname(recipePath));
  const signal = interruption('Stopping after this step; the same command goes on from the last checkpoint ...');
  const generates = isGenerated(recipe.labelled) || isGenerated(recipe.validation) || isGenerated(recipe.test);
  const card = await train(recipe, {
    folder,
    colin: generates ? await loadAnatomy(settings) : undefined,
    openPacs: (url) => openPacs(settings, url),
    maxVoxels: settings.maxVoxels,
    engine: await openForCommand(settings)(),
    openTeacher: (name, dimension) => openTeacherFor(settings, name, dimension),
    onEvent: progressLines((line) => process.stderr.write(`${line}\n`)),
    signal,
  });
  // Where the server looks for versions, it takes only what it has signed.
  if (resolve(folder).startsWith(join(resolve(settings.home), 'models') + sep))
    await writeSignature(folder, await openSigningKey(settings)());
  const { name, version, weights } = card;
  return {
    json: { model: { name, version, sha256: weights.sha256 }, folder },
    lines: [`${name}@${version} is in ${folder}`],
  };
}

async function loadAnatomy(settings: Settings): Promise<Colin27> {
  const sampleRoot = await createSteps().run('Sample volumes', (progress) =>
    unpackDebian(settings.home, samplePackages, progress),
  );
  return loadColin27(sampleRoot);
}
