import { readFile } from 'node:fs/promises';
import { loadSettings } from '../config/load.ts';
import { AppError } from '../errors/app-error.ts';
import { parseRecipe } from '../round/recipe.ts';
import { type TrainEvent, train } from '../round/train.ts';
import { loadColin27 } from '../sample/colin27.ts';
import { unpackDebian } from '../setup/debian.ts';
import { samplePackages } from '../setup/prepare.ts';
import { createSteps } from '../setup/steps.mjs';
import { openForCommand } from './engine.ts';
import { interruption, type Outcome } from './output.ts';

/** Trains a version; Ctrl-C stops after the running step, and the same command goes on from there. */
export async function runTrain(recipePath: string, folder: string): Promise<Outcome> {
  const settings = loadSettings();
  const text = await readFile(recipePath, 'utf8').catch((cause) => {
    throw new AppError('recipe-invalid', `${recipePath} cannot be read.`, {}, { cause });
  });
  const recipe = parseRecipe(text);
  const signal = interruption('Stopping after this step; the same command goes on from the last checkpoint ...');
  const sampleRoot = await createSteps().run('Sample volumes', (progress) =>
    unpackDebian(settings.home, samplePackages, progress),
  );
  const card = await train(recipe, {
    folder,
    colin: await loadColin27(sampleRoot),
    engine: await openForCommand(settings)(),
    onEvent: showEvent,
    signal,
  });
  const { name, version, weights } = card;
  return {
    json: { model: { name, version, sha256: weights.sha256 }, folder },
    lines: [`${name}@${version} is in ${folder}`],
  };
}

function showEvent(event: TrainEvent): void {
  const line = {
    data: () => event.kind === 'data' && `data ${event.split}: ${event.done} of ${event.all}`,
    step: () => event.kind === 'step' && `step ${event.step} of ${event.steps}: loss ${event.loss.toFixed(4)}`,
    validation: () =>
      event.kind === 'validation' &&
      `validation at ${event.step}: Dice ${event.student.toFixed(4)}, EMA ${event.ema.toFixed(4)}`,
    test: () => event.kind === 'test' && `test ${event.subject}: Dice ${event.dice.toFixed(4)}`,
  }[event.kind]();
  process.stderr.write(`${line}\n`);
}
