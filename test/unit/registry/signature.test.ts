import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createRegistry } from '../../../server/src/registry/registry.ts';
import { openSigningKey, readSigningKey, signatureFile, signVersion } from '../../../server/src/registry/signature.ts';
import { makeModel } from '../../fixtures/make-model.ts';

describe('signatures of versions', () => {
  let root: string;
  let folder: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'uncol-signature-'));
    await makeModel(join(root, 'seeds'), { version: 1 });
    await makeModel(join(root, 'made'), { version: 2 });
    folder = join(root, 'made', 'test-mr', '2');
  });
  after(() => rm(root, { recursive: true }));

  const signingKey = () => openSigningKey({ home: root })();
  const resolve = (version: number) =>
    createRegistry({
      ...{ seedFolder: join(root, 'seeds'), serviceFolder: join(root, 'made'), aliases: async () => new Map() },
      signingKey,
    }).resolve(`test-mr@${version}`);
  const sign = async () =>
    writeFile(join(folder, signatureFile), JSON.stringify(await signVersion(folder, await signingKey())));

  it('only what this server signed is handed out; versions of the repository need no signature', async () => {
    assert.equal((await resolve(1)).card.version, 1);
    await assert.rejects(resolve(2), { code: 'model-invalid', message: /is not signed/ });
    await sign();
    assert.equal((await resolve(2)).card.version, 2);
  });

  it('a version that was changed, or signed by another key, is refused', async () => {
    for (const name of ['card.json', 'recipe.json', 'metrics.json']) {
      const before = await readFile(join(folder, name));
      await appendFile(join(folder, name), ' ');
      await assert.rejects(resolve(2), { code: 'model-invalid', message: /was changed after it was signed/ }, name);
      await writeFile(join(folder, name), before);
    }
    assert.equal((await resolve(2)).card.version, 2);
    const pem = join(root, 'other.pem');
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeFile(pem, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const other = await signVersion(folder, await readSigningKey(pem));
    await writeFile(join(folder, signatureFile), JSON.stringify(other));
    await assert.rejects(resolve(2), { code: 'model-invalid', message: /another key/ });
    await sign();
  });

  it('a key file that holds another kind of key is refused', async () => {
    const pem = join(root, 'rsa.pem');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(pem, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    await assert.rejects(readSigningKey(pem), { code: 'config-invalid' });
    await assert.rejects(readSigningKey(join(root, 'none.pem')), { code: 'config-invalid' });
  });
});
