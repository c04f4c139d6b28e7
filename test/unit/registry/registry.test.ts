import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createRegistry, fits, mayTeach, readWeights, requireFit } from '../../../server/src/registry/registry.ts';
import { makeModel } from '../../fixtures/make-model.ts';

describe('registry', () => {
  let root: string;
  const aliases = new Map<string, number>();
  const open = () =>
    createRegistry({
      seedFolder: join(root, 'seeds'),
      serviceFolder: join(root, 'made'),
      aliases: async () => aliases,
    });

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'uncol-registry-'));
    await makeModel(join(root, 'seeds'), { version: 1 });
    await makeModel(join(root, 'seeds'), { version: 2 });
    await makeModel(join(root, 'made'), { version: 3 });
  });
  after(() => rm(root, { recursive: true }));

  it('serves the highest seed until an alias names another version', async () => {
    assert.equal((await open().resolve('test-mr')).card.version, 2);
    aliases.set('test-mr', 3);
    assert.equal((await open().resolve('test-mr')).card.version, 3);
    assert.equal((await open().resolve('test-mr@1')).inService, false);
    assert.deepEqual(
      (await open().list()).map(({ card, inService, origin }) => [card.version, inService, origin]),
      [
        [3, true, 'service'],
        [2, false, 'seed'],
        [1, false, 'seed'],
      ],
    );
    aliases.clear();
  });

  it('keeps a card that it has read, until its file is another or gone', async () => {
    await makeModel(join(root, 'made'), { name: 'kept', version: 1 });
    const registry = open();
    const [first, second] = [await registry.resolve('kept@1'), await registry.resolve('kept@1')];
    assert.equal(first.card, second.card);
    const file = join(first.folder, 'card.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace(first.card.title, 'Another title'));
    assert.equal((await registry.resolve('kept@1')).card.title, 'Another title');
    await rm(join(root, 'made', 'kept'), { recursive: true });
    await assert.rejects(registry.resolve('kept@1'), { code: 'model-not-found' });
  });

  it('an unknown model or version is refused with what there is', async () => {
    await assert.rejects(open().resolve('test-mr@9'), { code: 'model-not-found', message: /test-mr@3/ });
    await assert.rejects(open().resolve('nothing'), { code: 'model-not-found' });
  });

  it('hands out weights only when their sha256 is that of the card', async () => {
    const model = await open().resolve('test-mr@1');
    assert.ok((await readWeights(model)).length > 1000);
    await writeFile(join(model.folder, model.card.weights.file), 'other bytes');
    await assert.rejects(readWeights(model), { code: 'model-invalid' });
    await rm(join(model.folder, model.card.weights.file));
    await assert.rejects(readWeights(model), { code: 'model-invalid' });
  });

  it('a folder without a card is one in the making; a broken card is refused', async () => {
    await makeModel(join(root, 'seeds'), { name: 'broken' });
    const card = join(root, 'seeds', 'broken', '1', 'card.json');
    await writeFile(card, '{"schema": 1}');
    await assert.rejects(open().list(), { code: 'model-invalid', message: /name/ });
    await rm(card);
    assert.ok((await open().list()).every((version) => version.card.name !== 'broken'));
  });

  it('a model fits the modalities of its card only', async () => {
    const { card } = await open().resolve('test-mr');
    assert.equal(fits(card, { modality: 'MR' }), true);
    assert.equal(fits(card, { modality: 'CT' }), false);
    assert.throws(() => requireFit(card, { modality: 'CT' }), { code: 'series-modality-mismatch', message: /MR.*CT/ });
  });

  it('a series that states another body part teaches nothing', async () => {
    const { card } = await open().resolve('test-mr');
    const brain = { ...card, filter: { ...card.filter, bodyPart: ['BRAIN', 'HEAD'] } };
    assert.equal(mayTeach(brain, { modality: 'MR', bodyPart: 'HEAD' }), true);
    assert.equal(mayTeach(brain, { modality: 'MR', bodyPart: '' }), true);
    assert.equal(mayTeach(brain, { modality: 'MR', bodyPart: 'KNEE' }), false);
    assert.equal(mayTeach(brain, { modality: 'CT', bodyPart: 'HEAD' }), false);
    assert.equal(mayTeach(card, { modality: 'MR', bodyPart: 'KNEE' }), true, 'a card that names none takes any');
  });
});
