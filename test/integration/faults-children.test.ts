import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Job, ModelList } from '../../server/src/http/contract.ts';
import type { Round } from '../../server/src/http/contract-learning.ts';
import type { RoundVerdict } from '../../server/src/jobs/rounds.ts';
import { readRound } from '../../server/src/store/rounds.ts';
import { LoopClient } from '../fixtures/loop-client.ts';
import { type LoopServer, startLoopServer } from '../fixtures/loop-server.ts';
import { type LoopWorld, openWorld, type StoredSubject } from '../fixtures/loop-world.ts';
import { truthOn } from '../fixtures/masks.ts';
import { childrenOf } from '../fixtures/processes.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { makeTinyModel, tinyName } from '../fixtures/tiny-model.ts';
import { outcomeOf, runUndisturbed } from '../fixtures/undisturbed-round.ts';

const { skip } = await findSampleRoot();
const otherName = 'other-mr';

describe('killed and cancelled children', { skip }, () => {
  let world: LoopWorld;
  let server: LoopServer;
  let client: LoopClient;
  let subject: StoredSubject;

  before(async () => {
    world = await openWorld();
    await makeTinyModel(world.sampleRoot, world.seeds, otherName);
    subject = await world.addSubject(701);
    await world.addSubject(702);
    const environment = {
      UNCOL_CORRECTIONS_PER_ROUND: '1',
      UNCOL_ROUND_STEPS: '8',
      UNCOL_ROUND_UNLABELLED_SLICES: '4',
      UNCOL_HELD_OUT_PERCENT: '0',
      UNCOL_THREADS: '1',
    };
    server = await startLoopServer({ ...world, pacs: world.orthanc, environment });
    client = new LoopClient(server.url);
  });
  after(async () => {
    await server?.stop();
    await world?.close();
  });

  /** Kills our child of a kind as soon as `isTime`. */
  const killChild = (entry: string, isTime: () => Promise<boolean>) =>
    client.until(`end of ${entry}`, 240_000, async () => {
      if (!(await isTime())) return undefined;
      const pids = await childrenOf(process.pid, entry);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      return pids.length > 0 ? pids : undefined;
    });
  const job = async (jobId: string) => (await client.get<Job>(`/v1/jobs/${jobId}`)).body;
  const inService = async () => {
    const { body } = await client.get<ModelList>('/v1/models');
    return body.models.find((model) => model.name === tinyName && model.inService)?.version;
  };

  it('gives the same mask when the inference process is killed in the middle of the job', async () => {
    const undisturbed = await client.segment(subject, tinyName);
    const { id, jobId } = await client.start(subject, tinyName);
    await killChild('infer-child', async () => {
      const { state } = await job(jobId);
      assert.notEqual(state, 'done', 'over before it could be killed');
      return state === 'running';
    });
    const ended = await client.end(jobId);
    assert.equal(ended.state, 'done', JSON.stringify(ended.error));
    assert.deepEqual(await client.mask(id), undisturbed.mask);
  });

  /** Corrects the subject under a model, which starts a round. */
  const startRound = async (model: string): Promise<Round> => {
    const { inference, mask } = await client.segment(subject, model);
    const { body } = await client.submit(truthOn(mask, subject), { inferenceId: inference.id });
    const { body: round } = await client.get<Round>(`/v1/rounds/${body.roundId}`);
    assert.equal(round.model, model);
    return round;
  };

  it('ends rounds that are cancelled, one while it trains and one while it waits; the versions in service stay', async () => {
    const training = await startRound(tinyName);
    await client.until('a training process', 60_000, async () =>
      (await childrenOf(process.pid, 'train-child')).length > 0 ? true : undefined,
    );
    const waiting = await startRound(otherName);
    assert.equal(waiting.state, 'planned');
    for (const { id, jobId } of [waiting, training]) {
      const cancelled = await client.call<Job>('DELETE', `/v1/jobs/${jobId}`);
      assert.deepEqual([cancelled.status, cancelled.body.state], [200, 'cancelled']);
      const round = await client.roundEnd(id, 10_000);
      assert.deepEqual([round.state, round.error?.code], ['failed', 'job-cancelled']);
    }
    await client.until('no training process', 10_000, async () =>
      (await childrenOf(process.pid, 'train-child')).length === 0 ? true : undefined,
    );
    assert.equal(await inService(), 1);
  });

  it('goes on from its checkpoint when the trainer is killed, and ends with the same bits', async () => {
    const { id: roundId, jobId } = await startRound(tinyName);
    const folder = join(world.home, 'rounds', roundId);
    const checkpoint = () => readFile(join(folder, 'checkpoint.bin')).catch(() => undefined);
    await killChild('train-child', async () => (await checkpoint()) !== undefined);
    assert.ok(['queued', 'running'].includes((await job(jobId)).state), 'over before it could be killed');
    const round = await client.roundEnd(roundId);
    assert.equal(round.state, 'done', JSON.stringify(round.error));
    assert.equal((await client.end(jobId)).state, 'done');

    const { plan, verdict } = (await readRound(server.database, roundId)) ?? assert.fail();
    const { outcome } = await runUndisturbed(world, plan);
    const { chosen, cases, corrected, newCorrections, exam, arms, passedOver } = outcome;
    const undisturbed = { chosen, cases, evidence: { corrected, newCorrections, exam, arms, passedOver } };
    assert.deepEqual(outcomeOf(verdict as RoundVerdict), outcomeOf(undisturbed));
    assert.equal(await checkpoint(), undefined, 'a round that has ended keeps nothing');
  });
});
