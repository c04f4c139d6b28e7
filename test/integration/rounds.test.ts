import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeDrafts } from '../../server/src/candidate/write-version.ts';
import { code } from '../../server/src/config/code.ts';
import type { Child } from '../../server/src/jobs/children.ts';
import { createJobQueue, type JobQueue } from '../../server/src/jobs/queue.ts';
import { endAbandonedRounds, failRound, removeEndedRounds } from '../../server/src/jobs/round-ends.ts';
import { openDueRounds, openRound } from '../../server/src/jobs/round-start.ts';
import { type RoundVerdict, roundHandler } from '../../server/src/jobs/rounds.ts';
import type { TrainResult, TrainTask } from '../../server/src/jobs/train-child.ts';
import { createRegistry } from '../../server/src/registry/registry.ts';
import { signingKeyOf } from '../../server/src/registry/signature.ts';
import { roundPlanSchema } from '../../server/src/round/plan.ts';
import { policyOf } from '../../server/src/round/policy.ts';
import type { RoundProgress } from '../../server/src/round/run.ts';
import { readCorrection } from '../../server/src/store/corrections.ts';
import { deleteHold, insertHold } from '../../server/src/store/holds.ts';
import { updateJob } from '../../server/src/store/job-progress.ts';
import { moveAlias, readAliases } from '../../server/src/store/models.ts';
import { countPool, markUsed } from '../../server/src/store/pool.ts';
import { insertRefusal, type RoundRow, readOpenRound, readRound } from '../../server/src/store/rounds.ts';
import { createPacs } from '../../server/src/study/dicomweb.ts';
import { createLog } from '../../server/src/telemetry/log.ts';
import { createMetrics } from '../../server/src/telemetry/metrics.ts';
import { addCorrection } from '../fixtures/add-correction.ts';
import { makeModel } from '../fixtures/make-model.ts';
import { startTestDatabase } from './database.ts';

const modelName = 'pool';

describe('rounds and how they end', { timeout: 120_000 }, () => {
  let test: Awaited<ReturnType<typeof startTestDatabase>>;
  let queue: JobQueue;
  let folder: string;
  let correctionId: string;
  let endedId: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'uncol-rounds-'));
    test = await startTestDatabase();
    queue = await createJobQueue(test.database, { log: createLog('silent'), metrics: createMetrics() });
    correctionId = await addCorrection(test.database, { seriesInstanceUid: '1.1', approvedSlices: ['a'] });
  });
  after(async () => {
    await queue.stop();
    await test.close();
    await rm(folder, { recursive: true });
  });

  const open = async () => {
    const start = { modelName, fromVersion: 1, trigger: 'person', owner: 'server' } as const;
    return (await test.database.transaction((tx) => openRound(tx, queue, start))) ?? assert.fail('none opened');
  };
  const roundEnd = async (id: string): Promise<RoundRow<unknown, RoundVerdict>> => {
    for (let tries = 0; tries < 600; tries += 1) {
      const round = await readRound(test.database, id);
      if (round?.state === 'done' || round?.state === 'failed') return round as RoundRow<unknown, RoundVerdict>;
      await sleep(50);
    }
    throw new Error('the round did not end');
  };

  it('a crash between the end of a job and that of its round is made good at the next start', async () => {
    const { database } = test;
    const roundId = await open();
    endedId = roundId;
    await markUsed(database, [correctionId], roundId);
    await endAbandonedRounds(database, queue);
    assert.equal((await readOpenRound(database, modelName))?.id, roundId, 'its job is open');
    // All that a cancelled job had written when the server was killed.
    await updateJob(database, (await readRound(database, roundId))?.jobId ?? '', { state: 'cancelled' });
    await endAbandonedRounds(database, queue);
    const ended = await readRound(database, roundId);
    assert.deepEqual([ended?.state, ended?.error?.code], ['failed', 'job-cancelled']);
    assert.equal(await readOpenRound(database, modelName), undefined);
  });

  it('a round that failed gives its corrections back, once', async () => {
    const { database } = test;
    assert.equal((await readCorrection(database, correctionId))?.usedInRound, null);
    assert.equal((await countPool(database, modelName)).unused, 1);
    const roundId = await open();
    await markUsed(database, [correctionId], roundId);
    const error = { code: 'internal', message: '', detail: {} } as const;
    assert.equal(await failRound(database, roundId, error), true);
    assert.equal((await countPool(database, modelName)).unused, 1);
    assert.equal(await failRound(database, roundId, error), false);
    await queue.cancel((await readRound(database, roundId))?.jobId ?? '');
  });

  it('a round that only time or an administrator held back starts by the clock', async () => {
    const { database } = test;
    const seeds = join(folder, 'clock');
    await makeModel(seeds, { name: modelName });
    const registry = createRegistry({ seedFolder: seeds, serviceFolder: folder, aliases: () => readAliases(database) });
    const settings = { correctionsPerRound: 1, roundGapMinutes: 0, roundsPerDay: 99 };
    const tick = async (more: Partial<Parameters<typeof policyOf>[0]> = {}) => {
      await openDueRounds({ database, queue, registry, policy: policyOf({ ...settings, ...more }) });
      return readOpenRound(database, modelName);
    };
    assert.equal(await tick(), undefined, 'the last round failed, and there has been no correction since');
    await addCorrection(database, { seriesInstanceUid: '1.2', approvedSlices: ['a'] });
    assert.equal(await tick({ roundGapMinutes: 60 }), undefined);
    assert.equal(await tick({ roundsPerDay: 2 }), undefined);
    const hour = new Date().getHours();
    assert.equal(await tick({ roundHours: `${(hour + 2) % 24}-${(hour + 3) % 24}` }), undefined);
    await insertHold(database, 'round_pause', { modelName, actor: 'admin', reason: 'service' });
    assert.equal(await tick(), undefined);
    assert.equal(await deleteHold(database, 'round_pause', modelName), true);
    const started = await tick();
    assert.ok(started);
    assert.equal((await tick())?.id, started.id, 'one at a time');
    await failRound(database, started.id, { code: 'internal', message: '', detail: {} });
    await queue.cancel(started.jobId);
  });

  it('a start removes the folders of rounds that have ended and the drafts of versions, and nothing else', async () => {
    const { database } = test;
    const rounds = join(folder, 'kept');
    const openId = await open();
    const unknownId = '11111111-1111-4111-8111-111111111111';
    for (const name of [openId, endedId, unknownId, 'notes']) await mkdir(join(rounds, name), { recursive: true });
    await removeEndedRounds(database, rounds);
    assert.deepEqual((await readdir(rounds)).sort(), [openId, 'notes'].sort());
    for (const name of ['2', '3.draft-17']) await mkdir(join(folder, 'drafts', modelName, name), { recursive: true });
    await removeDrafts(join(folder, 'drafts'));
    assert.deepEqual(await readdir(join(folder, 'drafts', modelName)), ['2']);
    const jobId = (await readRound(database, openId))?.jobId ?? '';
    await updateJob(database, jobId, { state: 'cancelled' });
    await endAbandonedRounds(database, queue);
  });

  it('a version that a person put in service during a round stays; the better one waits', async () => {
    const { database } = test;
    const seeds = join(folder, 'seeds');
    const card = await makeModel(seeds, { name: modelName });
    const key = signingKeyOf(new Uint8Array(32).fill(7));
    const signingKey = async () => key;
    const pacs = createPacs({
      url: 'http://127.0.0.1:9/dicom-web',
      credentials: undefined,
      idleSeconds: 1,
      retries: 0,
    });
    const registry = createRegistry({
      seedFolder: seeds,
      serviceFolder: join(folder, 'models'),
      aliases: () => readAliases(database),
      signingKey,
    });
    let during = async () => {};
    /** A trainer whose candidate is a little better everywhere. */
    const child: Child<TrainTask, RoundProgress, TrainResult> = {
      async run({ plan, roundFolder }) {
        await during();
        await mkdir(roundFolder, { recursive: true });
        const weightsPath = join(roundFolder, 'candidate.weights.f32');
        await writeFile(weightsPath, new Uint8Array(card.architecture.inferenceParameters * 4));
        const scores = (dice: number) => ({ dice, diceBySegment: [dice], missed: 0, hausdorff95MmBySegment: [3] });
        const cases = Array.from({ length: 10 }, (_, n) => ({
          ...{ subject: `base-${n}`, set: 'base' as const },
          ...{ inService: scores(0.8), candidate: scores(0.9) },
        }));
        const outcome = {
          chosen: { arm: 'uncol', source: 'student', step: plan.steps } as const,
          cases,
          corrected: { before: 0.8, after: 0.9 },
          newCorrections: 0.8,
          isErasure: false,
          slices: { labelled: 1, replay: 1, unlabelled: 0 },
          arms: [],
          passedOver: {},
          generalizedTeacher: '',
          exam: null,
        };
        return {
          outcome,
          tableHash: card.weights.tableHash,
          weightsPath,
          engine: 'onnx-cpu',
          embeddings: { hits: 3, misses: 1 },
          volumes: { hits: 2, misses: 4 },
        };
      },
      hold: () => () => {},
      pid: undefined,
      close: async () => {},
    };
    const roundFolder = join(folder, 'rounds');
    const settings = {
      seed: 1,
      roundSteps: 1,
      roundUnlabelledSlices: 0,
      teacher: 'none',
    };
    const promotion = 'auto' as const;
    const policy = policyOf({ correctionsPerRound: 99, roundGapMinutes: 0, roundsPerDay: 99 });
    const parts = {
      database,
      queue,
      registry,
      pacs,
      metrics: createMetrics(),
      child,
      roundFolder,
      settings,
      policy,
      promotion,
      signingKey,
    };
    const subjects = { secret: new Uint8Array(32), heldOutPercent: 0 };
    await queue.work('train', roundHandler({ ...parts, ...subjects, modelFolder: join(folder, 'models') }));

    const first = await roundEnd(await open());
    assert.equal(first.verdict?.outcome, 'promoted', JSON.stringify(first.error));
    const { card: promoted } = await registry.resolve(modelName);
    assert.deepEqual([promoted.version, promoted.engine], [2, 'onnx-cpu']);
    const { lineage } = promoted;
    const seedOf = ({ plan }: RoundRow<unknown, RoundVerdict>) => roundPlanSchema.parse(plan).seed;
    assert.deepEqual([lineage?.round, lineage?.seed, lineage?.code], [first.id, seedOf(first), code]);
    assert.match(lineage?.planSha256 ?? '', /^[0-9a-f]{64}$/);
    assert.ok((await readdir(join(folder, 'models', modelName, '2'))).includes('signature.json'));
    during = () => database.transaction((tx) => moveAlias(tx, modelName, 2));
    await database.transaction((tx) => moveAlias(tx, modelName, 1));
    const second = await roundEnd(await open());
    assert.equal(second.verdict?.outcome, 'waiting');
    assert.match(second.verdict?.reason ?? '', /version 2 serves now, the round compared with version 1/);
    assert.equal((await registry.resolve(modelName)).card.version, 2);
    assert.equal((await registry.resolve(`${modelName}@3`)).card.parent?.version, 1, 'it can be put in service');
    during = async () => {};
    await insertHold(database, 'model_pin', { modelName, actor: 'admin', reason: 'reader study' });
    const third = await roundEnd(await open());
    assert.equal(third.verdict?.outcome, 'waiting');
    const seed = seedOf(first);
    assert.deepEqual([seedOf(second), seedOf(third)], [seed + 1, seed + 2], 'each round draws anew');
    assert.match(third.verdict?.reason ?? '', /version 2 is pinned \(reader study\)\.$/);
    await deleteHold(database, 'model_pin', modelName);
    const refusal = { actor: 'admin', reason: 'outlines too wide', at: '2026-11-26T12:00:00.000Z' };
    assert.deepEqual(
      [await insertRefusal(database, third.id, refusal), await insertRefusal(database, third.id, refusal)],
      [true, false],
    );
    assert.deepEqual((await readRound(database, third.id))?.refusal, refusal);
    for (let tries = 0; tries < 100 && (await readdir(roundFolder)).length > 0; tries += 1) await sleep(50);
    await assert.rejects(access(join(roundFolder, second.id)), 'a round that has ended keeps nothing');
    await pacs.close();
  });
});
