import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../../server/src/errors/app-error.ts';
import { parseRecipe } from '../../../server/src/round/recipe.ts';

const models = join(import.meta.dirname, '../../../models');
const shipped = (name: string) => readFile(join(models, name, '1/recipe.json'), 'utf8');
const refusal = (text: string): AppError => {
  try {
    parseRecipe(text);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'recipe-invalid');
    return error;
  }
  return assert.fail('the recipe was accepted');
};

test('the shipped recipes are valid', async () => {
  for (const name of ['brain-mr', 'lesion-mr']) assert.equal(parseRecipe(await shipped(name)).card.name, name);
});

test('an unknown key is refused by name', async () => {
  const recipe = JSON.parse(await shipped('lesion-mr'));
  assert.match(refusal(JSON.stringify({ ...recipe, epochs: 3 })).message, /epochs/);
});

test('a subject in two splits is refused by number', async () => {
  const recipe = JSON.parse(await shipped('lesion-mr'));
  const test = { seeds: { from: 101, to: 103 } };
  assert.match(refusal(JSON.stringify({ ...recipe, test })).message, /Subject 101 .*labelled.*test/);
});

test('text that is no JSON is refused', () => {
  refusal('{');
});
