import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runHold, runPromote, runRelease, runRollback } from '../../server/src/cli/decide.ts';
import { runForget } from '../../server/src/cli/forget.ts';
import { runQuality } from '../../server/src/cli/quality.ts';
import { promote } from '../../server/src/promotion/promote.ts';
import { openSigningKey } from '../../server/src/registry/signature.ts';
import { openCacheFolder } from '../../server/src/store/cache-folder.ts';
import { openEmbeddingFolder } from '../../server/src/store/embeddings.ts';
import { listForgotten } from '../../server/src/store/forget.ts';
import { readHold } from '../../server/src/store/holds.ts';
import { insertJob } from '../../server/src/store/job-progress.ts';
import { insertModelVersion, readAliases } from '../../server/src/store/models.ts';
import { countPool } from '../../server/src/store/pool.ts';
import { insertRound, updateRound } from '../../server/src/store/rounds.ts';
import { addCorrection } from '../fixtures/add-correction.ts';
import { makeModel } from '../fixtures/make-model.ts';
import { startTestDatabase } from './database.ts';

const name = 'decided-mr';

describe('what an administrator decides at the command line', { timeout: 60_000 }, () => {
  let test: Awaited<ReturnType<typeof startTestDatabase>>;
  const environment = { ...process.env };

  before(async () => {
    test = await startTestDatabase();
    process.env['UNCOL_HOME'] = test.home;
    delete process.env['DATABASE_URL'];
    const signingKey = await openSigningKey({ home: test.home })();
    for (const version of [1, 2]) await makeModel(join(test.home, 'models'), { name, version, signingKey });
  });
  after(async () => {
    process.env = environment;
    await test.close();
  });

  const inService = async () => (await readAliases(test.database)).get(name);

  it('promotes and takes back, each with its reason on record', async () => {
    const candidate = { name, version: 2, parent: 1, sha256: '0'.repeat(64), roundId: crypto.randomUUID() };
    await test.database.transaction((tx) => promote(tx, candidate, { actor: 'server', reason: 'Passed.' }));
    assert.equal(await inService(), 2);
    const outcome = await runRollback(name, 'misses more');
    assert.deepEqual([outcome.json, await inService()], [{ name, inService: 1 }, 1]);
    await assert.rejects(runRollback(name, 'once more'), { code: 'promotion-not-possible' });
    await runPromote(`${name}@2`, 'a second look');
    assert.equal(await inService(), 2);
    await assert.rejects(runPromote(`${name}@7`, 'no such version'), { code: 'model-not-found' });
    const rows = await test.database.query<{ reason: string; back: string | null }>(
      'select reason, taken_back_reason as back from promotion where name = $1 order by seq',
      [name],
    );
    assert.deepEqual(rows, [
      { reason: 'Passed.', back: 'misses more' },
      { reason: 'a second look', back: null },
    ]);
  });

  it('tells how readers agreed with each version', async () => {
    await addCorrection(test.database, { seriesInstanceUid: '1.7', approvedSlices: ['a'], modelName: name });
    const outcome = await runQuality(name);
    assert.deepEqual(outcome.lines, [
      `${name}@1  1 correction, 0 of them accepted as they were; Dice 1.000 (sd 0.000)`,
    ]);
    assert.deepEqual((await runQuality('lesion-mr')).lines, ['Nobody has corrected a mask of lesion-mr yet.']);
  });

  it('forgets a study, and tells which versions it had a part in', async () => {
    const { database } = test;
    const study = '1.2';
    await assert.rejects(async () => runForget('Doe^Jane', 'consent withdrawn'), { code: 'request-invalid' });
    assert.equal((await countPool(database, name)).labelledSeries, 1);
    const [jobId, roundId] = [crypto.randomUUID(), crypto.randomUUID()];
    await insertJob(database, { id: jobId, kind: 'train', owner: 'server' });
    await insertRound(database, { trigger: 'corrections', id: roundId, jobId, modelName: name, fromVersion: 1 });
    await updateRound(database, roundId, {
      plan: { unlabelled: [{ studyInstanceUid: study, seriesInstanceUid: '1.9' }] },
    });
    await assert.rejects(runForget(study, 'consent withdrawn'), { code: 'round-running' });
    await updateRound(database, roundId, { state: 'done', toVersion: 2 });
    await insertModelVersion(database, { name, version: 3, sha256: '0'.repeat(64), parent: 2, roundId });
    const folder = join(test.home, 'embeddings');
    const cache = await openEmbeddingFolder(folder, 1e6);
    await cache.set('slice', new Float32Array(8));
    const volumes = await openCacheFolder(join(test.home, 'volumes'), 1e6);
    await volumes.set('series', new Uint8Array(8));
    const outcome = await runForget(study, 'consent withdrawn');
    assert.equal(await cache.get('slice'), undefined);
    assert.equal(await volumes.get('series'), undefined);
    await cache.set('slice', new Float32Array(8));
    assert.ok(await cache.get('slice'), 'a round that runs goes on');
    assert.deepEqual(outcome.json, {
      versions: [
        { modelName: name, version: 2, how: 'direct' },
        { modelName: name, version: 3, how: 'inherited' },
      ],
    });
    assert.equal((await countPool(database, name)).labelledSeries, 0);
    assert.deepEqual([...(await listForgotten(database))], [study]);
    const audit = await database.query<{ object: string }>(
      `select object::text from audit where action = 'study-forgotten'`,
    );
    assert.ok(audit.length === 1 && !audit[0]?.object.includes(study));
  });

  it('holds and releases; both are in the audit', async () => {
    await runHold('model_pin', name, 'reader study');
    assert.equal((await readHold(test.database, 'model_pin', name))?.reason, 'reader study');
    await runRelease('model_pin', name);
    await runRelease('model_pin', name);
    assert.equal(await readHold(test.database, 'model_pin', name), undefined);
    const rows = await test.database.query<{ action: string; actor: string }>(
      `select action, actor from audit where action like 'model-%pinned' order by seq`,
    );
    assert.deepEqual(rows, [
      { action: 'model-pinned', actor: 'command-line' },
      { action: 'model-unpinned', actor: 'command-line' },
    ]);
    await assert.rejects(runHold('round_pause', 'no-such-model', 'why'), { code: 'model-not-found' });
  });
});
