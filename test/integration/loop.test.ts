import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { inference, type ModelList, type Receipt } from '../../server/src/http/contract.ts';
import type { Pool, Round, Verdict } from '../../server/src/http/contract-learning.ts';
import { candidate as candidateSchema, round as roundSchema } from '../../server/src/http/contract-learning.ts';
import { readRound } from '../../server/src/store/rounds.ts';
import { assertPictures } from '../fixtures/assert-pictures.ts';
import { assertRoundPage } from '../fixtures/assert-round-page.ts';
import { assertUsage } from '../fixtures/assert-usage.ts';
import { assertNowhere } from '../fixtures/find-canary.ts';
import { type KeyedMask, LoopClient } from '../fixtures/loop-client.ts';
import { type LoopServer, startLoopServer } from '../fixtures/loop-server.ts';
import { canary, type LoopWorld, openWorld, type StoredSubject } from '../fixtures/loop-world.ts';
import { diceOf, truthOn } from '../fixtures/masks.ts';
import { labelsOf, readSegs } from '../fixtures/read-seg.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { tinyName } from '../fixtures/tiny-model.ts';

const { skip } = await findSampleRoot();

describe('the loop', { skip }, () => {
  let world: LoopWorld;
  let server: LoopServer;
  let client: LoopClient;
  let first: StoredSubject;
  let second: StoredSubject;
  let heldOut: StoredSubject;
  let untouched: StoredSubject;
  let roundId: string;

  before(async () => {
    world = await openWorld();
    const environment = {
      UNCOL_CORRECTIONS_PER_ROUND: '2',
      UNCOL_ROUND_STEPS: '64',
      UNCOL_ROUND_UNLABELLED_SLICES: '12',
      UNCOL_HELD_OUT_PERCENT: '50',
    };
    first = await world.addSubject(501, await world.drawPatientId(false));
    second = await world.addSubject(502, await world.drawPatientId(false));
    untouched = await world.addSubject(503, await world.drawPatientId(false));
    heldOut = await world.addSubject(504, await world.drawPatientId(true));
    server = await startLoopServer({ ...world, pacs: world.orthanc, environment });
    client = new LoopClient(server.url);
  });
  after(async () => {
    await server?.stop();
    await world?.close();
  });

  const inService = async () => {
    const { body } = await client.get<ModelList>('/v1/models');
    return body.models.find((model) => model.inService);
  };
  const pool = async () => (await client.get<Pool>(`/v1/pool?model=${tinyName}`)).body;

  it('gives a mask on the grid of the series, and stores nothing of it in the PACS', async () => {
    const before = await world.pacs.searchSeries({ studyInstanceUid: first.studyInstanceUid });
    const { inference: made, mask } = await client.segment(first);
    inference.parse(made);
    assert.deepEqual([made.model.name, made.model.version], [tinyName, 1]);
    assert.deepEqual(mask.slices, first.sopInstanceUids);
    const dice = diceOf(mask.labels, truthOn(mask, first).labels);
    assert.ok(dice > 0.5 && dice < 0.99, `Dice ${dice}: the model must have learnt something, and have more to learn`);
    const after = await world.pacs.searchSeries({ studyInstanceUid: first.studyInstanceUid });
    assert.equal(after.length, before.length);
  });

  it('stores a correction as one SEG and one SR with the UIDs of the receipt, voxel for voxel', async () => {
    const half = (slices: readonly string[]) => slices.slice(10, 30);
    const { inference: made, drawn, receipt: kept } = await client.correct(first, (mask) => truthOn(mask, first), half);
    assert.equal(kept.state, 'stored');
    assert.equal(kept.approvedSlices, 20);
    assert.ok(kept.changedVoxels > 0);
    assert.deepEqual([kept.heldOut, kept.untilRound, kept.roundId], [false, 1, null]);
    const address = { studyInstanceUid: first.studyInstanceUid, seriesInstanceUid: kept.seg.seriesInstanceUid };
    const [found, ...others] = await world.pacs.searchInstances(address);
    assert.equal(found?.sopInstanceUid, kept.seg.sopInstanceUid);
    assert.equal(others.length, 0);
    const { studyInstanceUid } = first;
    const reports = await world.pacs.searchInstances({
      studyInstanceUid,
      seriesInstanceUid: kept.sr?.seriesInstanceUid ?? '',
    });
    assert.deepEqual(
      reports.map(({ sopInstanceUid }) => sopInstanceUid),
      [kept.sr?.sopInstanceUid],
    );
    const [seg] = await readSegs(world.pacs, address);
    assert.ok(seg);
    assert.ok(Buffer.from(labelsOf(seg, drawn.slices, drawn.rows * drawn.columns)).equals(drawn.labels));
    assert.equal(seg.segments[0]?.type, 'SEMIAUTOMATIC');
    assert.equal(seg.segments[0]?.tracking, made.trackingUid);
    assert.equal(seg.seriesDescription, kept.seg.seriesDescription);
    for (const text of [seg.seriesDescription, seg.contentDescription])
      assert.match(text, /AI-generated, research use/);
  });

  it('keeps the tracking UID in a second correction of the case, of which the newest counts', async () => {
    const some = (slices: readonly string[]) => slices.slice(5, 35);
    const { receipt: kept, inference: made } = await client.correct(first, (mask) => truthOn(mask, first), some);
    const series = { studyInstanceUid: first.studyInstanceUid, seriesInstanceUid: kept.seg.seriesInstanceUid };
    const [seg] = await readSegs(world.pacs, series);
    assert.equal(seg?.segments[0]?.tracking, made.trackingUid);
    const segs = await world.pacs.searchSeries({ studyInstanceUid: first.studyInstanceUid, modality: 'SEG' });
    assert.equal(segs.length, 2, 'a correction never replaces another');
    assert.deepEqual(await pool(), {
      ...{ model: tinyName, labelledStudies: 1, labelledSlices: 30, heldOutStudies: 0, untilRound: 1 },
      ...{ waits: null, pause: null, pin: null, inService: 1 },
    });
  });

  it('keeps a held-out patient apart: the correction is stored and does not count', async () => {
    const { receipt: kept } = await client.correct(heldOut, (mask) => truthOn(mask, heldOut));
    assert.deepEqual([kept.state, kept.heldOut, kept.untilRound, kept.roundId], ['stored', true, 1, null]);
    const { labelledStudies, heldOutStudies, untilRound } = await pool();
    assert.deepEqual([labelledStudies, heldOutStudies, untilRound], [1, 1, 1]);
    assert.deepEqual(await client.rounds(tinyName), []);
  });

  it('starts a round by itself with the second correction', async () => {
    const { receipt: kept } = await client.correct(second, (mask) => truthOn(mask, second));
    assert.ok(kept.roundId);
    roundId = kept.roundId;
    const refused = await client.post<{ code: string }>('/v1/rounds', { model: tinyName });
    assert.deepEqual([refused.status, refused.body.code], [409, 'round-running']);
  });

  it('ends the round with a verdict and its numbers, and puts the better version in service', async () => {
    const ended = roundSchema.parse(await client.roundEnd(roundId));
    assert.equal(ended.state, 'done', JSON.stringify(ended.error));
    const verdict = ended.verdict as Verdict;
    assert.equal(verdict.outcome, 'promoted', verdict.reason);
    const base = verdict.cases.filter(({ set }) => set === 'base');
    assert.deepEqual([base.length, verdict.cases.length], [10, 11], 'and the held-out patient');
    assert.equal(ended.trigger, 'corrections');
    await assertPictures(client.url, roundId, verdict);
    await assertRoundPage(world.home, roundId, verdict);
    const mean = (of: 'inService' | 'candidate') => base.reduce((sum, row) => sum + row[of].dice, 0) / 10;
    assert.ok(Math.abs(mean('inService') - verdict.inServiceDice) < 1e-9);
    assert.ok(Math.abs(mean('candidate') - verdict.candidateDice) < 1e-9);
    assert.ok(verdict.candidateDice >= verdict.inServiceDice - verdict.rule.epsilon);
    assert.deepEqual(
      verdict.comparisons.map(({ set, subjects, faults }) => [set, subjects, faults]),
      [['base', 10, []]],
    );
    assert.match(verdict.reason, /Base set only: 1 held-out patient, 10 are needed\./);
    assert.ok(verdict.reason.includes(verdict.candidateDice.toFixed(3)), verdict.reason);
    assert.notEqual(verdict.chosen.source, 'in-service');
    assert.deepEqual([ended.fromVersion, ended.toVersion], [1, 2]);
    assert.match(ended.generalizedTeacher, /abstain/);
    assert.ok(ended.labelledSlices > 0 && ended.replaySlices > 0 && ended.unlabelledSlices === 12);
    const served = await inService();
    assert.deepEqual([served?.name, served?.version, served?.parent], [tinyName, 2, 1]);
    const made = candidateSchema.parse((await client.get(`/v1/candidates/${roundId}`)).body);
    assert.deepEqual([made.model, made.parent, made.version, made.inService], [tinyName, 1, 2, true]);
    assert.deepEqual(made.verdict, verdict);
    const { corrected, arms } = made.evidence;
    assert.ok(corrected.after > 0);
    assert.deepEqual(
      arms.map(({ arm, means }) => [arm, (means['trustSpecialized'] ?? 0) > 0]),
      [
        ['uncol', true],
        ['supervised', false],
      ],
    );
    const winner = arms.find(({ arm }) => arm === verdict.chosen.arm);
    assert.deepEqual([winner?.source, winner?.step], [verdict.chosen.source, verdict.chosen.step]);
    assert.ok((winner?.subjects ?? 0) > 0);
    assert.ok(served?.notes.some((note) => note.startsWith('Two ways of learning were compared: with unlabelled')));
    const unknown = await client.get<{ code: string }>('/v1/candidates/00000000-0000-4000-8000-000000000000');
    assert.deepEqual([unknown.status, unknown.body.code], [404, 'candidate-not-found']);
    assert.ok(served?.notes.some((note) => note.includes(roundId)));
  });

  it('has trained on approved slices of patients that are not held out, and on nothing else', async () => {
    const row = await readRound(server.database, roundId);
    const plan = row?.plan as {
      corrections: { seriesInstanceUid: string; approvedSlices: string[]; isNew: boolean }[];
      unlabelled: { seriesInstanceUid: string }[];
    };
    assert.deepEqual(
      plan.corrections.map((part) => [part.seriesInstanceUid, part.approvedSlices.length, part.isNew]),
      [
        [first.seriesInstanceUid, 30, true],
        [second.seriesInstanceUid, second.sopInstanceUids.length, true],
      ],
    );
    assert.deepEqual(
      plan.unlabelled.map((part) => part.seriesInstanceUid),
      [untouched.seriesInstanceUid],
    );
  });

  it('segments with the version in service', async () => {
    const before = await client.segment(untouched, `${tinyName}@1`);
    const { inference: made, mask } = await client.segment(untouched);
    assert.equal(made.model.version, 2);
    assert.notEqual(made.model.sha256, before.inference.model.sha256);
    assert.ok(!Buffer.from(mask.labels).equals(before.mask.labels), 'other weights give another mask');
    // Whether rounds help is measured over many subjects and seeds elsewhere; here nothing may have broken.
    const dice = diceOf(mask.labels, truthOn(mask, untouched).labels);
    assert.ok(dice > 0.6, `Dice ${dice.toFixed(3)}`);
  });

  it('marks an accepted mask as automatic', async () => {
    const { inference: made, mask } = await client.segment(untouched);
    const answer = await client.submit(mask, { inferenceId: made.id, kind: 'accepted' });
    assert.deepEqual([answer.status, answer.body.state, answer.body.changedVoxels], [201, 'stored', 0]);
    assert.equal(answer.body.dice, 1);
    const series = {
      studyInstanceUid: untouched.studyInstanceUid,
      seriesInstanceUid: answer.body.seg.seriesInstanceUid,
    };
    const [seg] = await readSegs(world.pacs, series);
    assert.equal(seg?.segments[0]?.type, 'AUTOMATIC');
    assert.equal(seg?.segments[0]?.version, '2');
    assert.match(seg?.seriesDescription ?? '', /AI-generated, research use/);
  });

  it('lets a reader take a submission back, and a series be left alone by rounds', async () => {
    const reason = 'wrong patient position';
    await client.post('/v1/pauses', { model: tinyName, reason });
    const before = await pool();
    const { receipt: kept } = await client.correct(first, (mask) => truthOn(mask, first));
    assert.deepEqual([kept.untilRound, kept.roundId], [0, null], 'enough of them, and no round in a pause');
    const back = await client.post<Receipt>(`/v1/corrections/${kept.id}/withdrawal`, { reason });
    assert.deepEqual([back.status, back.body.withdrawn?.reason], [200, reason]);
    assert.equal((await client.get<Receipt>(`/v1/corrections/${kept.id}`)).body.withdrawn?.reason, reason);
    assert.deepEqual(await pool(), before, 'the older correction counts again');
    const { studyInstanceUid, seriesInstanceUid } = second;
    const series = { studyInstanceUid, seriesInstanceUid };
    const excluded = await client.post('/v1/exclusions', { model: tinyName, ...series, reason });
    assert.equal(excluded.status, 201);
    assert.equal((await pool()).labelledStudies, before.labelledStudies - 1);
    await client.delete(`/v1/exclusions?${new URLSearchParams({ model: tinyName, seriesInstanceUid })}`);
    assert.deepEqual(await pool(), before);
    await client.delete(`/v1/pauses?model=${tinyName}`);
  });

  it('refuses what has learnt from flipped masks; the version in service stays', async () => {
    const flip = (mask: KeyedMask): KeyedMask => ({ ...mask, labels: mask.labels.map((label) => 1 - label) });
    const { receipt: kept } = await client.correct(second, (mask) => flip(truthOn(mask, second)));
    await client.correct(first, (mask) => flip(truthOn(mask, first)));
    const started = kept.roundId ?? (await client.rounds(tinyName)).find((row) => row.id !== roundId)?.id;
    assert.ok(started);
    const ended: Round = await client.roundEnd(started);
    assert.equal(ended.verdict?.outcome, 'refused', ended.verdict?.reason);
    assert.equal(ended.toVersion, null);
    assert.equal((await inService())?.version, 2);
  });

  it('lets a person go back to an earlier version, and no name of a patient comes out anywhere', async () => {
    const reason = 'outlines look better';
    const refused = await client.post<{ code: string }>(`/v1/candidates/${roundId}/refusal`, { reason });
    assert.deepEqual([refused.status, refused.body.code], [409, 'refusal-not-possible'], 'it serves');
    for (const [path, key] of [
      ['/v1/pins', 'pin'],
      ['/v1/pauses', 'pause'],
    ] as const) {
      const held = await client.post<Pool>(path, { model: tinyName, reason });
      assert.deepEqual([held.status, held.body[key]?.reason], [200, reason]);
      const freed = await client.delete<Pool>(`${path}?model=${tinyName}`);
      assert.deepEqual([freed.status, freed.body[key]], [200, null]);
      assert.equal((await client.post(path, { model: tinyName, reason: ' ' })).status, 422, 'no reason');
    }
    const back = await client.post<{ version: number }>('/v1/promotions', { name: tinyName, version: 1, reason });
    assert.deepEqual([back.status, back.body.version], [201, 1]);
    const again = await client.post<{ code: string }>('/v1/promotions', { name: tinyName, version: 1, reason });
    assert.deepEqual([again.status, again.body.code], [409, 'promotion-not-possible']);
    // Taken back: first the person's own act, then the server's promotion; then nothing is left to take back.
    const rolledBack = [];
    for (let n = 0; n < 3; n++) {
      const answer = await client.post<{ version?: number; code?: string }>('/v1/rollbacks', {
        model: tinyName,
        reason,
      });
      rolledBack.push([answer.status, answer.body.version ?? answer.body.code]);
    }
    assert.deepEqual(rolledBack, [
      [200, 2],
      [200, 1],
      [409, 'promotion-not-possible'],
    ]);
    assert.equal((await inService())?.version, 1);
    assert.ok(client.answers.length > 50);
    assert.ok(!client.answers.some((text) => text.includes(canary)));
    const log = await world.readLog();
    assert.match(log, /Job ended/);
    assert.ok(!log.includes(canary));
  });

  it('tells what it took of the disk and of the PACS', async () => {
    await assertUsage(client, world.home);
  });

  it('keeps nothing of a patient: no file, no table, no metric holds a name or an id', async () => {
    await assertNowhere(canary, { ...world, database: server.database, url: client.url });
  });
});
