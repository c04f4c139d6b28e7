import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { request as rawRequest } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inference, Job, ModelList, Problem } from '../../server/src/http/contract.ts';
import { inference, job, problem } from '../../server/src/http/contract.ts';
import { decodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import { insertForgotten } from '../../server/src/store/forget.ts';
import { insertJob } from '../../server/src/store/job-progress.ts';
import { makeBall, ballSize as size } from '../fixtures/make-ball.ts';
import { type MadeSeries, makeSeries } from '../fixtures/make-series.ts';
import { type ServerUnderTest, startServer } from './server-under-test.ts';

const patientName = 'CANARY^PATIENT';

describe('server', () => {
  let server: ServerUnderTest;
  let mr: MadeSeries;
  let ct: MadeSeries;

  before(async () => {
    server = await startServer();
    mr = makeSeries(makeBall(), { attributes: () => ({ PatientName: patientName, PatientID: 'CANARY-ID' }) });
    ct = makeSeries(makeBall(), { modality: 'CT' });
    for (const file of [...mr.files, ...ct.files]) await server.pacs.store(file);
  });
  after(() => server.close());

  const get = async <T>(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: T }> => {
    const response = await fetch(server.url + path, { headers });
    return { status: response.status, body: (await response.json()) as T };
  };
  const post = async <T>(path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as T };
  };
  const addressOf = ({ studyInstanceUid, seriesInstanceUid }: MadeSeries) => ({ studyInstanceUid, seriesInstanceUid });
  const segment = async (body: object, key = randomUUID()) => {
    const accepted = await post<{ id: string; jobId: string }>('/v1/inferences', body, { 'idempotency-key': key });
    assert.equal(accepted.status, 202, JSON.stringify(accepted.body));
    return accepted.body;
  };
  const end = async (jobId: string): Promise<Job> => {
    for (let tries = 0; tries < 400; tries += 1) {
      const { body } = await get<Job>(`/v1/jobs/${jobId}`);
      job.parse(body);
      if (!['queued', 'running'].includes(body.state)) return body;
      await sleep(50);
    }
    throw new Error('the job did not end');
  };

  it('segments a series of the PACS and gives the mask keyed by its instances', { timeout: 60_000 }, async () => {
    const { id, jobId } = await segment({ ...addressOf(mr), model: 'test-mr' });
    const stages = await readStages(server.url, jobId);
    assert.deepEqual([...new Set(stages)].at(-1), 'save');
    assert.ok(stages.includes('segment'), `stages ${stages}`);
    const ended = await end(jobId);
    assert.equal(ended.state, 'done', JSON.stringify(ended.error));
    const { body } = await get<Inference>(`/v1/inferences/${id}`);
    inference.parse(body);
    assert.equal(body.model.name, 'test-mr');
    assert.ok(body.uncertainty !== null && body.uncertainty >= 0 && body.uncertainty <= 1);
    const response = await fetch(`${server.url}/v1/inferences/${id}/labelmap`);
    assert.equal(response.headers.get('content-encoding'), 'gzip');
    const { head, labels } = decodeEnvelope(new Uint8Array(await response.arrayBuffer()));
    assert.deepEqual(head, { columns: size[0], rows: size[1], slices: mr.sopInstanceUids });
    assert.equal(labels.length, size[0] * size[1] * size[2]);
    const voxels = labels.reduce((count, label) => count + (label === 1 ? 1 : 0), 0);
    assert.equal(body.segments[0]?.voxels, voxels);
    assert.ok(Math.abs((body.segments[0]?.ml ?? 0) - voxels * 0.016) < 1e-6);
    const unsure = await fetch(`${server.url}/v1/inferences/${id}/uncertainty`);
    const map = decodeEnvelope(new Uint8Array(await unsure.arrayBuffer()));
    assert.deepEqual([map.head, map.labels.length], [head, labels.length]);
    const highest = map.labels.reduce((most, value) => Math.max(most, value), 0);
    assert.ok(highest > 0 && highest <= 100, `${highest} hundredths`);
    const { studyInstanceUid } = addressOf(mr);
    await insertForgotten(server.database, { studyInstanceUid, actor: 'admin', reason: 'consent withdrawn' });
    for (const what of ['', '/labelmap', '/uncertainty']) {
      const gone = await get<Problem>(`/v1/inferences/${id}${what}`);
      assert.deepEqual([gone.status, gone.body.code], [404, 'inference-not-found'], what);
    }
    await server.database.query('delete from forgotten_study');
  });

  it('answers the same key with the same inference, and refuses it for another request', async () => {
    const key = randomUUID();
    const body = { ...addressOf(mr), model: 'test-mr@1' };
    const [first, second] = await Promise.all([segment(body, key), segment(body, key)]);
    assert.deepEqual(first, second);
    const other = await post<Problem>('/v1/inferences', { ...body, model: 'test-mr' }, { 'idempotency-key': key });
    assert.equal(other.status, 409);
    assert.equal(other.body.code, 'idempotency-conflict');
    await end(first.jobId);
  });

  it('keeps the tracking UID over all inferences of a case', async () => {
    const first = await segment({ ...addressOf(mr), model: 'test-mr' });
    const second = await segment({ ...addressOf(mr), model: 'test-mr' });
    const uids = await Promise.all(
      [first, second].map(async ({ id }) => (await get<Inference>(`/v1/inferences/${id}`)).body.trackingUid),
    );
    assert.equal(uids[0], uids[1]);
    await end(second.jobId);
  });

  it('lists the models that fit a series, and none for another modality', async () => {
    const listed = await get<ModelList>(`/v1/models?${new URLSearchParams(addressOf(mr))}`);
    assert.deepEqual(
      listed.body.models.map(({ name, inService }) => [name, inService]),
      [['test-mr', true]],
    );
    assert.deepEqual((await get<ModelList>(`/v1/models?${new URLSearchParams(addressOf(ct))}`)).body.models, []);
    const half = await get<Problem>(`/v1/models?studyInstanceUid=${mr.studyInstanceUid}`);
    assert.equal(half.body.code, 'request-invalid');
  });

  it('says what is wrong with the series', async () => {
    const ctJob = await segment({ ...addressOf(ct), model: 'test-mr' });
    assert.equal((await end(ctJob.jobId)).error?.code, 'series-modality-mismatch');
    const unknown = await segment({ studyInstanceUid: '1.2.3', seriesInstanceUid: '1.2.3.4', model: 'test-mr' });
    assert.equal((await end(unknown.jobId)).error?.code, 'series-not-found');
    const early = await get<Problem>(`/v1/inferences/${unknown.id}/labelmap`);
    assert.equal(early.body.code, 'inference-not-ready');
    const noModel = await post<Problem>('/v1/inferences', { ...addressOf(ct) });
    assert.equal(noModel.body.code, 'series-modality-mismatch');
    const noSuchModel = await post<Problem>('/v1/inferences', { ...addressOf(mr), model: 'nothing' });
    assert.equal(noSuchModel.body.code, 'model-not-found');
  });

  it('ends an inference at once when it is cancelled', async () => {
    const { id, jobId } = await segment({ ...addressOf(mr), model: 'test-mr' });
    const cancelled = await fetch(`${server.url}/v1/jobs/${jobId}`, { method: 'DELETE' });
    assert.equal(((await cancelled.json()) as Job).state, 'cancelled');
    assert.equal((await get<Inference>(`/v1/inferences/${id}`)).body.state, 'cancelled');
    // The next one is not disturbed by the killed process.
    assert.equal((await end((await segment({ ...addressOf(mr), model: 'test-mr' })).jobId)).state, 'done');
  });

  it('does not let anybody cancel the storing of a correction', async () => {
    const id = randomUUID();
    await insertJob(server.database, { id, kind: 'export', owner: 'local' });
    const answer = await fetch(`${server.url}/v1/jobs/${id}`, { method: 'DELETE' });
    assert.deepEqual([answer.status, ((await answer.json()) as Problem).code], [403, 'not-allowed']);
    assert.equal((await get<Job>(`/v1/jobs/${id}`)).body.state, 'queued');
  });

  it('goes on by itself when the inference process is killed', { timeout: 60_000 }, async () => {
    const { jobId } = await segment({ ...addressOf(mr), model: 'test-mr' });
    let killed = false;
    while (!killed) {
      const { body } = await get<Job>(`/v1/jobs/${jobId}`);
      assert.notEqual(body.state, 'done', 'the job was over before its process could be killed');
      for (const pid of body.state === 'running' ? await childrenOf(process.pid, 'infer-child') : []) {
        process.kill(pid, 'SIGKILL');
        killed = true;
      }
      await sleep(5);
    }
    assert.equal((await end(jobId)).state, 'done');
    const metrics = await server.metrics.childrenLostTotal.get();
    assert.ok(metrics.values.some(({ value, labels }) => labels.kind === 'infer' && value >= 1));
  });

  it('answers every refusal as a problem with a stable code', async () => {
    const refused: [string, Promise<{ status: number; body: Problem }>, number][] = [
      ['request-invalid', post('/v1/inferences', { studyInstanceUid: '../../etc', seriesInstanceUid: '1.2' }), 422],
      ['request-invalid', post('/v1/inferences', { ...addressOf(mr), extra: 1 }), 422],
      ['not-allowed', post('/v1/inferences', addressOf(mr), { origin: 'http://evil.example' }), 403],
      ['not-allowed', post('/v1/inferences', addressOf(mr), { 'content-type': 'text/plain' }), 403],
      ['not-allowed', post('/v1/inferences', addressOf(mr), { 'sec-fetch-site': 'cross-site' }), 403],
      ['request-too-large', post('/v1/inferences', { ...addressOf(mr), model: 'x'.repeat(100_000) }), 413],
      ['inference-not-found', get(`/v1/inferences/${randomUUID()}`), 404],
      ['job-not-found', get(`/v1/jobs/${randomUUID()}`), 404],
      ['model-not-found', get('/v1/models/test-mr/7'), 404],
      ['not-found', get('/v1/nothing'), 404],
      ['not-found', get('/no-such-file.js'), 404],
    ];
    for (const [code, answer, status] of refused) {
      const { body, status: found } = await answer;
      problem.parse(body);
      assert.deepEqual([body.code, found], [code, status]);
    }
  });

  it('answers only under a loopback name', async () => {
    const status = await new Promise((resolve, reject) => {
      const asked = rawRequest(`${server.url}/v1/models`, { headers: { host: 'rebound.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.once('error', reject);
      asked.end();
    });
    assert.equal(status, 403);
  });

  it('serves the viewer, our config, and a page for each of its addresses', async () => {
    for (const path of ['/', '/uncol?StudyInstanceUIDs=1.2']) {
      const response = await fetch(server.url + path);
      assert.match(await response.text(), /viewer/);
      assert.match(response.headers.get('content-security-policy') ?? '', /'wasm-unsafe-eval'/);
    }
    const config = await (await fetch(`${server.url}/app-config.js`)).text();
    assert.match(config, /\/plugins\/uncol\/extension\.js/);
    const script = await fetch(`${server.url}/app.0123456789abcdef.js`);
    assert.match(script.headers.get('cache-control') ?? '', /immutable/);
    assert.equal(script.headers.get('content-encoding'), 'gzip');
  });

  it('lets the viewer read from the PACS, and neither write nor leave DICOMweb', async () => {
    const studies = await get<unknown[]>('/dicom-web/studies');
    assert.equal(studies.body.length, 2);
    const stow = await post<Problem>('/dicom-web/studies', {});
    assert.equal(stow.body.code, 'not-allowed');
    for (const path of ['/dicom-web/../instances', '/dicom-web/%2e%2e/instances', '/dicom-web/x/..%2f..%2finstances']) {
      const status = await new Promise((resolve) => {
        const { hostname, port } = new URL(server.url);
        rawRequest({ hostname, port, path }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).end();
      });
      assert.equal(status, 422, path);
    }
  });

  it('is ready while every part answers, and describes itself', async () => {
    const ready = await get<{ ready: boolean }>('/readyz');
    assert.deepEqual([ready.status, ready.body.ready], [200, true]);
    const description = await get<{ paths: object }>('/openapi.json');
    assert.ok('/v1/inferences' in description.body.paths);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /uncol_inference_seconds_count\{stage="segment"\}/);
  });

  it('never lets patient data into log, metrics or problems', async () => {
    await get<Problem>(`/v1/models?PatientName=${patientName}`);
    await get<Problem>(`/dicom-web/studies?PatientName=${patientName}`);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    const all = [...server.logLines, metrics].join('\n');
    assert.ok(server.logLines.length > 0);
    assert.doesNotMatch(all, /CANARY/);
    assert.ok(!all.includes(mr.studyInstanceUid), 'a UID stands in the log in clear');
  });

  it('is not ready when the PACS is gone, and says so to an inference', { timeout: 60_000 }, async () => {
    await server.orthanc.stop();
    const ready = await get<{ parts: Record<string, boolean> }>('/readyz');
    assert.equal(ready.status, 503);
    assert.deepEqual(ready.body.parts, { pacs: false, database: true, samples: true });
    const { jobId } = await segment({ ...addressOf(mr), model: 'test-mr' });
    assert.equal((await end(jobId)).error?.code, 'pacs-unreachable');
  });
});

async function readStages(url: string, jobId: string): Promise<string[]> {
  const response = await fetch(`${url}/v1/jobs/${jobId}/events`);
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const text = await response.text();
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => (JSON.parse(data ?? '') as Job).stage);
}

/** Processes whose parent is `pid` and whose command line names `entry`. */
async function childrenOf(pid: number, entry: string): Promise<number[]> {
  const { readFile } = await import('node:fs/promises');
  const found: number[] = [];
  for (const name of (await readdir('/proc')).filter((entryName) => /^\d+$/.test(entryName))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    if (parent !== pid) continue;
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(entry)) found.push(Number(name));
  }
  return found;
}
