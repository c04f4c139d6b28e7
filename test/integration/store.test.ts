import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { appendAudit } from '../../server/src/store/audit.ts';
import { openBlobStore } from '../../server/src/store/blobs.ts';
import { preferCorrection, withdrawCorrection } from '../../server/src/store/corrections.ts';
import { openDatabase } from '../../server/src/store/database.ts';
import { startEmbedded } from '../../server/src/store/embedded.ts';
import { deleteExclusion, insertExclusion } from '../../server/src/store/exclusions.ts';
import { trackCase } from '../../server/src/store/inferences.ts';
import { insertJob, readJob, updateJob } from '../../server/src/store/job-progress.ts';
import { migrate } from '../../server/src/store/migrate.ts';
import { moveAlias, readAliases } from '../../server/src/store/models.ts';
import { countPool, listNewestCorrections, markUsed } from '../../server/src/store/pool.ts';
import { insertRound } from '../../server/src/store/rounds.ts';
import { readSecretKey } from '../../server/src/store/secret-key.ts';
import { resolveSubject } from '../../server/src/store/subjects.ts';
import { addCorrection } from '../fixtures/add-correction.ts';
import { startTestDatabase } from './database.ts';

describe('embedded PostgreSQL', { timeout: 120_000 }, () => {
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'uncol-embedded-'));
  });
  after(() => rm(home, { recursive: true }));

  it('starts, keeps its rows over a restart, and opens no port', async () => {
    const first = await startEmbedded(home);
    const database = openDatabase(first.url);
    await database.query('create table kept (n integer)');
    await database.query('insert into kept values (42)');
    const [row] = await database.query<{ listen: string }>(`select current_setting('listen_addresses') as listen`);
    assert.equal(row?.listen, '');
    await database.close();
    await first.stop();
    const second = await startEmbedded(home);
    const again = openDatabase(second.url);
    assert.deepEqual(await again.query('select n from kept'), [{ n: 42 }]);
    await again.close();
    await second.stop();
  });

  it('takes over a server whose parent is gone', async () => {
    const left = await startEmbedded(home);
    const taken = await startEmbedded(home);
    assert.deepEqual([left.adopted, taken.adopted, taken.url], [false, true, left.url]);
    await taken.stop();
  });

  it('refuses a folder of another major version', async () => {
    const server = await startEmbedded(home);
    await server.stop();
    const version = join(server.folder, 'data', 'PG_VERSION');
    await writeFile(version, '17\n');
    await assert.rejects(startEmbedded(home), { code: 'database-unavailable', message: /PostgreSQL 17.*18/ });
    await writeFile(version, '18\n');
  });

  it('works as root below a home that its own user cannot enter', { skip: process.getuid?.() !== 0 }, async () => {
    const closed = await mkdtemp(join(tmpdir(), 'uncol-closed-'));
    await chmod(closed, 0o700);
    const inner = join(closed, 'home');
    await mkdir(inner, { mode: 0o700 });
    const server = await startEmbedded(inner);
    assert.ok(!server.folder.startsWith(closed), server.folder);
    assert.notEqual((await stat(join(server.folder, 'data'))).uid, 0);
    assert.equal((await readFile(join(inner, 'database', 'location'), 'utf8')).trim(), server.folder);
    await server.stop();
    await rm(server.folder, { recursive: true });
    await rm(closed, { recursive: true });
  });
});

describe('store', { timeout: 120_000 }, () => {
  let test: Awaited<ReturnType<typeof startTestDatabase>>;
  before(async () => {
    test = await startTestDatabase();
  });
  after(() => test.close());

  it('migrates once when two servers start together, and refuses a newer schema', async () => {
    const reached = await Promise.all([migrate(test.database), migrate(test.database)]);
    assert.equal(reached[0], reached[1]);
    await test.database.query('insert into schema_version (version) values (9999)');
    await assert.rejects(migrate(test.database), { code: 'database-unavailable' });
    await test.database.query('delete from schema_version where version = 9999');
  });

  it('a transaction that throws leaves nothing', async () => {
    const id = randomUUID();
    const failing = test.database.transaction(async (tx) => {
      await insertJob(tx, { id, kind: 'infer', owner: 'x' });
      throw new Error('no');
    });
    await assert.rejects(failing, /no/);
    assert.equal(await readJob(test.database, id), undefined);
  });

  it('the end of a job is final, and every change is announced', async () => {
    const id = randomUUID();
    const heard: string[] = [];
    const listening = await test.database.listen(
      'uncol_job',
      (payload) => heard.push(payload),
      () => undefined,
    );
    await insertJob(test.database, { id, kind: 'infer', owner: 'x' });
    assert.equal(await updateJob(test.database, id, { state: 'running', stage: 'segment', percent: 10 }), true);
    assert.equal(await updateJob(test.database, id, { state: 'cancelled' }), true);
    assert.equal(await updateJob(test.database, id, { state: 'done' }), false);
    const job = await readJob(test.database, id);
    assert.deepEqual([job?.state, job?.stage, job?.percent, job?.seq], ['cancelled', 'segment', 10, 3]);
    await sleep(200);
    assert.deepEqual(heard, [id, id]);
    await listening.close();
  });

  it('a listener comes back after its connection was cut, and says that it may have missed something', async () => {
    const heard: string[] = [];
    let gaps = 0;
    const listening = await test.database.listen(
      'cut',
      (payload) => heard.push(payload),
      () => {
        gaps += 1;
      },
    );
    await test.database.query(`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %cut%'`);
    for (let tries = 0; gaps === 0 && tries < 100; tries += 1) await sleep(50);
    assert.equal(gaps, 1);
    await test.database.query(`select pg_notify('cut', 'again')`);
    await sleep(200);
    assert.deepEqual(heard, ['again']);
    await listening.close();
  });

  it('keeps the decision about a patient for ever, without any plain identifier', async () => {
    const secret = await readSecretKey(test.home, 'subject');
    assert.deepEqual(await readSecretKey(test.home, 'subject'), secret);
    const patients = Array.from({ length: 400 }, (_, n) => ({ patientId: `CANARY-${n}` }));
    const first = await Promise.all(patients.map((who) => resolveSubject(test.database, secret, who, 25)));
    const share = first.filter(({ heldOut }) => heldOut).length / first.length;
    assert.ok(share > 0.15 && share < 0.35, `share ${share}`);
    const later = await Promise.all(patients.map((who) => resolveSubject(test.database, secret, who, 0)));
    assert.deepEqual(later, first);
    const rows = await test.database.query('select * from subject');
    assert.doesNotMatch(JSON.stringify(rows), /CANARY/);
  });

  it('a case keeps its first tracking UID', async () => {
    const where = { studyInstanceUid: '1.2', seriesInstanceUid: '1.2.3', volume: '', modelName: 'brain-mr' };
    assert.equal(await trackCase(test.database, where, '2.25.1'), '2.25.1');
    assert.equal(await trackCase(test.database, where, '2.25.2'), '2.25.1');
    assert.equal(await trackCase(test.database, { ...where, modelName: 'lesion-mr' }, '2.25.3'), '2.25.3');
    assert.equal(await trackCase(test.database, { ...where, volume: 'EchoTime=30' }, '2.25.4'), '2.25.4');
  });

  it('the pool counts the newest correction of each series, apart for held-out patients', async () => {
    const db = test.database;
    const [jobId, roundId] = [randomUUID(), randomUUID()];
    const add = (seriesInstanceUid: string, approvedSlices: string[], heldOut = false) =>
      addCorrection(db, { seriesInstanceUid, approvedSlices, heldOut });
    const nothing = { labelledSeries: 0, labelledSlices: 0, heldOutSeries: 0, unused: 0 };
    assert.deepEqual(await countPool(db, 'pool'), nothing);
    await add('1.1', ['a', 'b']);
    await add('1.1', ['a', 'b', 'c']);
    const other = await add('1.2', ['d']);
    await add('1.3', ['e', 'f'], true);
    const counts = { labelledSeries: 2, labelledSlices: 4, heldOutSeries: 1, unused: 2 };
    assert.deepEqual(await countPool(db, 'pool'), counts);
    await insertJob(db, { id: jobId, kind: 'train', owner: 'server' });
    await insertRound(db, { trigger: 'corrections', id: roundId, jobId, modelName: 'pool', fromVersion: 1 });
    await markUsed(db, [other], roundId);
    assert.deepEqual(await countPool(db, 'pool'), { ...counts, unused: 1 });
    const newest = await listNewestCorrections(db, 'pool');
    assert.deepEqual(
      newest.map((row) => [row.seriesInstanceUid, row.approvedSlices.length]),
      [
        ['1.1', 3],
        ['1.2', 1],
      ],
    );
    // What counts of 1.1 (2, then 3 slices): the newest, unless taken back, or an administrator prefers another.
    const act = { actor: 'x', reason: 'why', at: '2026-11-26T12:00:00.000Z' };
    const [counting] = newest;
    assert.equal(await withdrawCorrection(db, counting?.id ?? '', act), true);
    assert.equal(await withdrawCorrection(db, counting?.id ?? '', act), false);
    const slicesOf = async () => (await listNewestCorrections(db, 'pool'))[0]?.approvedSlices.length;
    assert.equal(await slicesOf(), 2);
    const [older] = await listNewestCorrections(db, 'pool');
    await add('1.1', ['a', 'b', 'c', 'd']);
    assert.equal((await countPool(db, 'pool')).labelledSlices, 5);
    await preferCorrection(db, older?.id ?? '', act);
    assert.equal((await countPool(db, 'pool')).labelledSlices, 3);
    const series = { modelName: 'pool', studyInstanceUid: '1.2', seriesInstanceUid: '1.1', volume: '' };
    await insertExclusion(db, { ...series, actor: 'x', reason: 'why' });
    assert.equal((await countPool(db, 'pool')).labelledSlices, 1);
    assert.equal(await deleteExclusion(db, 'pool', series), true);
    assert.equal((await countPool(db, 'pool')).labelledSlices, 3);
  });

  it('volumes of one series are cases of their own, and leave the pool alone or with their series', async () => {
    const db = test.database;
    const modelName = 'volumes';
    const add = (volume: string, slices: number) =>
      addCorrection(db, {
        ...{ modelName, seriesInstanceUid: '2.1', volume },
        approvedSlices: Array.from({ length: slices }, (_, k) => `${k}`),
      });
    const first = await add('EchoTime=4', 1);
    await add('EchoTime=4', 2);
    await add('EchoTime=30', 4);
    const slices = async () => (await countPool(db, modelName)).labelledSlices;
    assert.equal(await slices(), 6);
    await preferCorrection(db, first, { actor: 'x', reason: 'why', at: '2026-11-26T12:00:00.000Z' });
    assert.equal(await slices(), 5);
    const series = { modelName, studyInstanceUid: '1.2', seriesInstanceUid: '2.1', actor: 'x', reason: 'why' };
    await insertExclusion(db, { ...series, volume: 'EchoTime=30' });
    assert.equal(await slices(), 1);
    await insertExclusion(db, { ...series, volume: '' });
    assert.equal(await slices(), 0);
    assert.equal(await deleteExclusion(db, modelName, { ...series, volume: '' }), true);
    assert.equal(await slices(), 1);
  });

  it('audit rows can be added and never changed', async () => {
    await appendAudit(test.database, { actor: 'x', action: 'model-promoted', object: { model: 'brain-mr' } });
    assert.deepEqual(await test.database.query('select action from audit'), [{ action: 'model-promoted' }]);
    for (const change of [`update audit set actor = 'y'`, 'delete from audit', 'truncate audit']) {
      await assert.rejects(test.database.query(change), /never changed/);
    }
  });

  it('an alias moves', async () => {
    await moveAlias(test.database, 'brain-mr', 2);
    await moveAlias(test.database, 'brain-mr', 3);
    assert.deepEqual([...(await readAliases(test.database))], [['brain-mr', 3]]);
  });

  it('an unreachable database is told as such', async () => {
    const gone = openDatabase('postgresql:///postgres?host=/nowhere&user=x');
    await assert.rejects(gone.query('select 1'), { code: 'database-unavailable' });
    await gone.close();
  });
});

describe('blobs', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'uncol-blobs-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('the same bytes are stored once, also by writers at the same time, and no draft stays', async () => {
    const blobs = await openBlobStore(folder);
    const bytes = Buffer.alloc(100_000, 7);
    const names = await Promise.all(Array.from({ length: 6 }, () => blobs.put(bytes)));
    assert.equal(new Set(names).size, 1);
    assert.deepEqual(await blobs.get(names[0] ?? ''), bytes);
    assert.deepEqual(await readdir(join(folder, 'tmp')), []);
  });

  it('damaged bytes and unknown names are refused, and a name can never be a path', async () => {
    const blobs = await openBlobStore(folder);
    const name = await blobs.put(Buffer.from('text'));
    const path = join(folder, 'sha256', name.slice(0, 2), name);
    await chmod(path, 0o600);
    await writeFile(path, 'other');
    await assert.rejects(blobs.get(name), { code: 'integrity-mismatch' });
    await assert.rejects(blobs.get('0'.repeat(64)), { code: 'not-found' });
    await assert.rejects(blobs.get('../../etc/passwd'), RangeError);
  });
});
