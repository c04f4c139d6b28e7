import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { forgetFolder, type KeptFolder, keepFolder } from '../../../server/src/setup/kept-folder.ts';

/** A kept folder in a home of its own, and how often it was filled. */
async function withHome(
  work: (kept: KeptFolder, fill: (t: string) => Promise<string[]>, fills: () => number) => Promise<void>,
): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'uncol-kept-'));
  let fills = 0;
  const fill = async (temporary: string) => {
    fills++;
    await writeFile(join(temporary, 'a.txt'), 'content');
    return ['a@1'];
  };
  try {
    await work({ home, folder: join(home, 'npm', 'a@1'), identity: 'a 1' }, fill, () => fills);
  } finally {
    await rm(home, { recursive: true });
  }
}

test('a whole folder is filled once, and again after it was forgotten or for another identity', async () => {
  await withHome(async (kept, fill, fills) => {
    assert.equal(await keepFolder(kept, fill), kept.folder);
    await keepFolder(kept, fill);
    assert.equal(fills(), 1);
    await keepFolder({ ...kept, identity: 'a 2' }, fill);
    assert.equal(fills(), 2);
    await forgetFolder(kept);
    await keepFolder({ ...kept, identity: 'a 2' }, fill);
    assert.equal(fills(), 3);
  });
});

test('a truncated file, a removed file and an empty marker each make the folder again', async () => {
  await withHome(async (kept, fill, fills) => {
    const file = join(kept.folder, 'a.txt');
    await keepFolder(kept, fill);
    await truncate(file, 3);
    await keepFolder(kept, fill);
    await rm(file);
    await keepFolder(kept, fill);
    await truncate(join(kept.folder, '.kept.json'), 0);
    await keepFolder(kept, fill);
    assert.equal(fills(), 4);
    assert.equal(await readFile(file, 'utf8'), 'content');
  });
});

test('two starts at once fill a folder once', async () => {
  await withHome(async (kept, fill, fills) => {
    await Promise.all([keepFolder(kept, fill), keepFolder(kept, fill), keepFolder(kept, fill)]);
    assert.equal(fills(), 1);
  });
});

test('a failed filling leaves nothing behind, and the rest of a killed one is removed', async () => {
  await withHome(async (kept, fill) => {
    const failing = async (temporary: string): Promise<string[]> => {
      await writeFile(join(temporary, 'half'), 'x');
      throw new Error('no more disk');
    };
    await assert.rejects(keepFolder(kept, failing), /no more disk/);
    assert.deepEqual(await readdir(join(kept.home, 'npm')), []);
    await writeFile(join(kept.home, 'npm', '.a@1.partial-4711'), '');
    await keepFolder(kept, fill);
    assert.deepEqual(await readdir(join(kept.home, 'npm')), ['a@1']);
  });
});
