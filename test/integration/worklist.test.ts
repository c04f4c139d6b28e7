import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runWorklist } from '../../server/src/cli/worklist.ts';
import { nextCase, type Worklist, type WorklistItem, worklist } from '../../server/src/http/contract-worklist.ts';
import { createRegistry, type Registry } from '../../server/src/registry/registry.ts';
import { preferCorrection, withdrawCorrection } from '../../server/src/store/corrections.ts';
import { deleteExclusion, insertExclusion } from '../../server/src/store/exclusions.ts';
import { insertForgotten } from '../../server/src/store/forget.ts';
import type { PredictionResult } from '../../server/src/store/inferences.ts';
import { readAliases } from '../../server/src/store/models.ts';
import { createWorklists, type Worklists } from '../../server/src/worklist/worklists.ts';
import { addCorrection } from '../fixtures/add-correction.ts';
import { addPrediction } from '../fixtures/add-prediction.ts';
import { makeBall } from '../fixtures/make-ball.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { type ServerUnderTest, startServer } from './server-under-test.ts';

const model = 'test-mr';
const canary = 'CANARY Mrs Doe';

/** Studies 1.1 to 1.6 are MR, newest last; the model is for MR. */
const studies = ['1.1', '1.2', '1.3', '1.4', '1.5', '1.6'] as const;
const seriesOf = (study: string) => `${study}.1`;

describe('worklist', { timeout: 120_000 }, () => {
  let server: ServerUnderTest;
  let registry: Registry;
  let worklists: Worklists;

  before(async () => {
    server = await startServer({ UNCOL_WORKLIST_AHEAD: '0' });
    const add = async (studyInstanceUid: string, seriesInstanceUid: string, attributes: object, modality?: 'CT') => {
      const options = { studyInstanceUid, seriesInstanceUid, ...(modality ? { modality } : {}) };
      const made = makeSeries(makeBall(), {
        ...options,
        attributes: () => ({ PatientID: studyInstanceUid, SeriesDescription: canary, ...attributes }),
      });
      const isScout = seriesInstanceUid.endsWith('.2');
      for (const file of made.files.slice(0, isScout ? 1 : 3)) await server.pacs.store(file);
    };
    for (const [n, study] of studies.entries())
      await add(study, seriesOf(study), {
        StudyDate: `2024010${n + 1}`,
        BodyPartExamined: n < 2 ? 'HEAD' : 'LIVER',
      });
    // A scout beside, and a study of another modality.
    await add('1.1', '1.1.2', { StudyDate: '20240101' });
    await add('1.9', '1.9.1', {}, 'CT');
    registry = createRegistry({
      seedFolder: join(server.home, 'seeds'),
      serviceFolder: join(server.home, 'models'),
      aliases: () => readAliases(server.database),
    });
    worklists = createWorklists({ database: server.database, registry, pacs: server.pacs });
  });
  after(() => server.close());

  const read = async (query = ''): Promise<Worklist> => {
    const response = await fetch(`${server.url}/v1/worklist?model=${model}${query}`);
    assert.equal(response.status, 200, await response.clone().text());
    assert.equal(response.headers.get('cache-control'), 'no-store');
    return worklist.parse(await response.json());
  };
  const itemOf = async (study: string): Promise<WorklistItem> =>
    (await read()).items.find(({ studyInstanceUid }) => studyInstanceUid === study) ?? assert.fail(study);
  const openNext = (reader: string, rest: object = {}) =>
    worklists.openNext({ model, order: 'worklist', reader, ...rest });
  const addMask = (study: string, rest: Partial<PredictionResult> = {}, modelVersion = 1) =>
    addPrediction(
      server.database,
      { studyInstanceUid: study, seriesInstanceUid: seriesOf(study), model, modelVersion },
      rest,
    );
  const answer = async (study: string, rest: { reader?: string; kind?: 'edited' | 'accepted' } = {}) =>
    addCorrection(server.database, {
      modelName: model,
      studyInstanceUid: study,
      seriesInstanceUid: seriesOf(study),
      approvedSlices: ['a'],
      ...rest,
    });
  const exclusionOf = (study: string) => ({
    ...{ modelName: model, studyInstanceUid: study, seriesInstanceUid: seriesOf(study), volume: '' },
    ...{ actor: 'local', reason: 'motion' },
  });
  const act = { actor: 'local', reason: 'test', at: new Date().toISOString() };

  it('shows one item a study that fits, by its larger series, newest first when asked so', async () => {
    const list = await read('&order=worklist');
    assert.deepEqual(
      list.items.map(({ seriesInstanceUid }) => seriesInstanceUid),
      studies.map(seriesOf).toReversed(),
    );
    assert.deepEqual([list.total, list.counts.new], [6, 6]);
    assert.deepEqual([list.modalities, list.bodyParts], [['MR'], ['HEAD', 'LIVER']]);
    assert.deepEqual(list.items[0], {
      studyInstanceUid: '1.6',
      seriesInstanceUid: '1.6.1',
      modality: 'MR',
      bodyPart: 'LIVER',
      description: canary,
      studyDate: '20240106',
      volume: null,
      state: 'new',
      uncertainty: null,
      version: null,
      openBy: null,
      conflict: false,
    });
    assert.ok(Math.abs(Date.parse(list.listedAt) - Date.now()) < 60_000);
    const unknown = await fetch(`${server.url}/v1/worklist?model=no-such-model`);
    assert.equal(unknown.status, 404);
  });

  it('knows what has become of each case', async () => {
    await addMask('1.1', { uncertainty: 0.3, uncertaintyBySegment: [0.4] });
    await addMask('1.2', {}, 7);
    await addMask('1.3');
    const edited = await answer('1.3');
    await answer('1.4', { kind: 'accepted' });
    const seen = async (study: string) => {
      const { state, uncertainty, version } = await itemOf(study);
      return [state, uncertainty, version];
    };
    assert.deepEqual(await seen('1.1'), ['segmented', 0.3, 1]);
    assert.deepEqual(await seen('1.2'), ['segmented', null, 7], 'a score of another version is none');
    assert.deepEqual(await seen('1.3'), ['corrected', 0.5, 1]);
    assert.equal((await itemOf('1.4')).state, 'accepted');
    await withdrawCorrection(server.database, edited, act);
    assert.equal((await itemOf('1.3')).state, 'segmented');
    await answer('1.3');
    const excluded = exclusionOf('1.4');
    await insertExclusion(server.database, excluded);
    assert.equal((await itemOf('1.4')).state, 'excluded');
    await deleteExclusion(server.database, model, excluded);
    assert.deepEqual((await read()).counts, { new: 2, segmented: 2, corrected: 1, accepted: 1, excluded: 0 });
  });

  it('filters by state, modality and body part, and gives pages', async () => {
    const liver = await read('&bodyPart=LIVER&modality=MR');
    assert.deepEqual([liver.total, liver.counts.segmented], [4, 0]);
    assert.deepEqual(liver.bodyParts, ['HEAD', 'LIVER']);
    const segmented = await read('&state=segmented');
    assert.deepEqual(
      segmented.items.map(({ studyInstanceUid }) => studyInstanceUid),
      ['1.1', '1.2'],
    );
    assert.equal(segmented.counts.new, 2);
    assert.equal((await read('&modality=CT')).total, 0);
    const page = await read('&order=worklist&limit=2&offset=4');
    assert.deepEqual(
      page.items.map(({ studyInstanceUid }) => studyInstanceUid),
      ['1.2', '1.1'],
    );
    assert.equal((await fetch(`${server.url}/v1/worklist?model=${model}&limit=0`)).status, 422);
  });

  it('calls it a conflict when corrections of two readers stand, until one is preferred', async () => {
    assert.equal((await itemOf('1.3')).conflict, false);
    const second = await answer('1.3', { reader: 'second' });
    assert.equal((await itemOf('1.3')).conflict, true);
    await preferCorrection(server.database, second, act);
    assert.equal((await itemOf('1.3')).conflict, false);
  });

  it('never gives one study to two readers who ask at the same time', async () => {
    const readers = ['a', 'b', 'c', 'd', 'e', 'f'];
    const items = await Promise.all(readers.map((reader) => openNext(reader)));
    const given = items.flatMap((item) => item?.studyInstanceUid ?? []);
    // 1.3 and 1.4 have been answered.
    assert.deepEqual(given.toSorted(), ['1.1', '1.2', '1.5', '1.6']);
    assert.ok(items.every((item) => !item || item.openBy === 'you'));
    assert.equal((await itemOf('1.1')).openBy, 'another');
    const rows = await server.database.query<{ study: string; rank: number; used: string }>(
      'select study_instance_uid as study, rank, order_used as used from case_claim order by rank',
    );
    assert.deepEqual(
      rows.map(({ study, rank }) => [study, rank]),
      [
        ['1.6', 1],
        ['1.5', 2],
        ['1.2', 5],
        ['1.1', 6],
      ],
    );
    assert.ok(rows.every(({ used }) => used === 'worklist'));
  });

  it('gives back what a reader leaves, and does not send the reader back and forth', async () => {
    await server.database.query('delete from case_claim');
    const first = await openNext('a');
    assert.equal(first?.studyInstanceUid, '1.6');
    assert.equal((await openNext('a'))?.studyInstanceUid, '1.6', 'a viewer loaded again goes on');
    const second = await openNext('a', { notStudyInstanceUid: '1.6' });
    assert.equal(second?.studyInstanceUid, '1.5');
    assert.equal((await openNext('a', { notStudyInstanceUid: '1.5' }))?.studyInstanceUid, '1.2');
    assert.equal((await openNext('b'))?.studyInstanceUid, '1.6', 'what was left is free');
    assert.equal((await openNext('a', { notStudyInstanceUid: '1.2' }))?.studyInstanceUid, '1.1');
    assert.equal(
      (await openNext('a', { notStudyInstanceUid: '1.1' }))?.studyInstanceUid,
      '1.5',
      'nothing else is left',
    );
    const wanted = { state: 'corrected', bodyPart: 'LIVER' } as const;
    assert.equal((await openNext('a', wanted))?.studyInstanceUid, '1.3');
    assert.equal(await openNext('a', { state: 'excluded' }), undefined);
    assert.equal(await openNext('a', { bodyPart: 'KNEE' }), undefined);
  });

  it('opens the very study that a reader chose, whatever has become of it, unless another has it open', async () => {
    await server.database.query('delete from case_claim');
    assert.equal((await openNext('a', { studyInstanceUid: '1.3', state: 'new' }))?.studyInstanceUid, '1.3');
    assert.equal((await itemOf('1.3')).openBy, 'another');
    assert.equal(await openNext('b', { studyInstanceUid: '1.3' }), undefined);
    assert.equal(await openNext('b', { studyInstanceUid: '9.9' }), undefined);
  });

  it('forgets a claim after half an hour, and once its reader has answered', async () => {
    await server.database.query('delete from case_claim');
    await openNext('a');
    assert.equal((await openNext('b'))?.studyInstanceUid, '1.5');
    await server.database.query(`update case_claim set claimed_at = now() - interval '31 minutes' where reader = 'a'`);
    assert.equal((await itemOf('1.6')).openBy, null);
    assert.equal((await openNext('b', { notStudyInstanceUid: '1.5' }))?.studyInstanceUid, '1.6');
    await answer('1.6', { reader: 'b' });
    const { openBy, state } = await itemOf('1.6');
    assert.deepEqual([openBy, state], [null, 'corrected']);
  });

  it('leaves excluded series and forgotten studies out', async () => {
    await server.database.query('delete from case_claim');
    const { database } = server;
    const excluded = exclusionOf('1.5');
    await insertExclusion(database, excluded);
    assert.equal((await openNext('a'))?.studyInstanceUid, '1.2');
    await insertForgotten(database, { studyInstanceUid: '1.2', actor: 'local', reason: 'consent' });
    assert.equal((await openNext('b'))?.studyInstanceUid, '1.1');
    assert.equal((await read()).total, 5);
    await database.query('delete from forgotten_study');
    await deleteExclusion(database, model, excluded);
  });

  it('puts the order and the place on record, by HTTP too, and answers plainly when nothing is left', async () => {
    await server.database.query('delete from case_claim');
    const post = async (body: object) => {
      const response = await fetch(`${server.url}/v1/next-cases`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model, ...body }),
      });
      assert.equal(response.status, 200, await response.clone().text());
      return nextCase.parse(await response.json());
    };
    const found = await post({ state: 'segmented' });
    assert.deepEqual([found.order, found.item?.studyInstanceUid, found.item?.openBy], ['uncertainty', '1.1', 'you']);
    assert.deepEqual(await post({ order: 'random', bodyPart: 'KNEE' }), { item: null, order: 'random' });
    const [row] = await server.database.query<{ actor: string; object: object }>(
      `select actor, object from audit where action = 'case-opened' order by seq desc limit 1`,
    );
    assert.deepEqual(row, { actor: 'local', object: { model, version: 1, order: 'uncertainty', rank: 1 } });
  });

  it('is there at the command line, through a running server where the PACS is its own', async () => {
    const environment = { ...process.env };
    after(() => {
      process.env = environment;
    });
    process.env['UNCOL_HOME'] = server.home;
    process.env['DATABASE_URL'] = server.database.url;
    process.env['UNCOL_PORT'] = new URL(server.url).port;
    // The registry of a command has the models that come along, and no test-mr.
    const outcome = await runWorklist({ model: 'brain-mr', order: 'worklist' });
    assert.deepEqual(outcome.lines, [
      '20240102  new        -      1.2  MR HEAD',
      '20240101  new        -      1.1  MR HEAD',
    ]);
    assert.equal((outcome.json as Worklist).items[0]?.seriesInstanceUid, '1.2.1');
    const none = await runWorklist({ model: 'brain-mr', order: 'uncertainty', state: 'corrected' });
    assert.deepEqual(none.lines, ['No case of brain-mr is there that is corrected.']);
    const all = await runWorklist({ order: 'uncertainty' });
    assert.ok(all.lines.includes('lesion-mr  2 new, 0 segmented, 0 corrected, 0 accepted, 0 excluded'));
    process.env['UNCOL_PORT'] = '9';
    await assert.rejects(runWorklist({ model: 'brain-mr', order: 'worklist' }), {
      code: 'pacs-unreachable',
      message: /uncol serve/,
    });
  });

  it('keeps descriptions out of log, audit and database', async () => {
    assert.ok(!server.logLines.some((line) => line.includes('CANARY')));
    for (const table of ['audit', 'case_claim', 'prediction', 'job_progress', 'study_case']) {
      const rows = await server.database.query<{ row: string }>(`select ${table}::text as row from ${table}`);
      assert.ok(!rows.some(({ row }) => row.includes('CANARY')), table);
    }
  });
});
