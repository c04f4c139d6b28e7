import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { UncolClient } from '../../../extension/src/api/client.ts';
import type { Job } from '../../../extension/src/api/contract.ts';
import { createEventParser } from '../../../extension/src/api/event-stream.ts';
import { followJob } from '../../../extension/src/api/follow-job.ts';
import { ProblemError, parseProblem, toUserProblem, unreachable } from '../../../extension/src/api/problem.ts';

test('a problem of the server keeps its code, words and hint', () => {
  const body = JSON.stringify({
    ...{ type: 'about:blank', title: 'Series not found', status: 404, code: 'series-not-found' },
    ...{ detail: 'There is no series 1.2.', hint: 'Check the UIDs.', seen: {}, requestId: '1' },
  });
  assert.deepEqual(parseProblem(404, body), {
    code: 'series-not-found',
    title: 'Series not found',
    detail: 'There is no series 1.2.',
    hint: 'Check the UIDs.',
  });
});

test('an answer that is no problem+json still says what happened and what to do', () => {
  for (const body of ['<html>Bad Gateway</html>', '', 'null', '[]', '{"title":7}']) {
    const problem = parseProblem(502, body);
    assert.equal(problem.code, 'answer-invalid');
    assert.match(problem.detail, /502/);
    assert.ok(problem.hint.length > 0);
  }
  assert.equal(parseProblem(401, 'no').code, 'not-authenticated');
});

test('anything thrown becomes something to show', () => {
  assert.equal(toUserProblem(new ProblemError(unreachable)), unreachable);
  assert.equal(toUserProblem(new TypeError('x is undefined')).detail, 'x is undefined');
  assert.equal(toUserProblem('odd').detail, 'odd');
});

test('an event stream is read whatever the cuts between its chunks', () => {
  const text =
    ': still here\n\nid: 7\nevent: job\ndata: {"percent":\ndata: 5}\n\nevent: job\r\ndata: {}\r\n\r\ndata: x\n\n';
  const whole = createEventParser()(text);
  assert.deepEqual(whole, [
    { event: 'job', data: '{"percent":\n5}' },
    { event: 'job', data: '{}' },
    { event: 'message', data: 'x' },
  ]);
  const parse = createEventParser();
  assert.deepEqual(
    [...text].flatMap((character) => parse(character)),
    whole,
  );
});

const job = (fields: Partial<Job>): Job => ({
  id: '1',
  kind: 'infer',
  state: 'running',
  stage: 'segment',
  percent: 0,
  secondsLeft: null,
  figures: {},
  error: null,
  ...fields,
});

test('a job is followed to its end although its stream breaks in the middle', async () => {
  let streams = 0;
  const client = {
    async *streamJob() {
      streams++;
      yield job({ percent: streams * 10 });
      if (streams === 1) throw new ProblemError(unreachable);
      yield job({ percent: 100, state: 'done' });
    },
    getJob: async () => job({ percent: 15 }),
  };
  const seen: number[] = [];
  const last = await followJob(client, '1', ({ percent }) => seen.push(percent), new AbortController().signal);
  assert.equal(last.state, 'done');
  assert.deepEqual(seen, [10, 20, 100]);
});

test('a refusal ends the following at once', async () => {
  const refusal = new ProblemError({ ...unreachable, code: 'job-not-found' });
  const client = {
    // biome-ignore lint/correctness/useYield: it refuses before its first event
    async *streamJob(): AsyncGenerator<Job> {
      throw refusal;
    },
    getJob: async () => job({}),
  };
  await assert.rejects(
    followJob(client, '1', () => undefined, new AbortController().signal),
    refusal,
  );
});

test('a correction is sent gzipped under its key, with the session of the viewer', async (context) => {
  const requests: { url: string; headers: Headers; body: Uint8Array }[] = [];
  context.mock.method(globalThis, 'fetch', async (url: string, parts: RequestInit) => {
    requests.push({ url, headers: new Headers(parts.headers), body: new Uint8Array(parts.body as Uint8Array) });
    return Response.json({ id: 'r' });
  });
  const client = new UncolClient({ root: '/v1', authorization: () => ({ Authorization: 'Bearer t' }) });
  const envelope = new Uint8Array(5000).fill(1);
  await client.submitCorrection(envelope, 'key-1');
  const request = requests[0];
  assert.ok(request);
  assert.equal(request.url, '/v1/corrections');
  assert.equal(request.headers.get('idempotency-key'), 'key-1');
  assert.equal(request.headers.get('content-encoding'), 'gzip');
  assert.equal(request.headers.get('content-type'), 'application/octet-stream');
  assert.equal(request.headers.get('authorization'), 'Bearer t');
  const { gunzipSync } = await import('node:zlib');
  assert.deepEqual(new Uint8Array(gunzipSync(request.body)), envelope);
});

test('a server that does not answer is named as such', async (context) => {
  context.mock.method(globalThis, 'fetch', async () => {
    throw new TypeError('fetch failed');
  });
  const client = new UncolClient({ root: '/v1', authorization: () => ({}) });
  await assert.rejects(client.getJob('1'), (error: ProblemError) => error.problem === unreachable);
});

test('an answer that breaks off is as good as none, and one that is no JSON is no answer of the server', async (context) => {
  const client = new UncolClient({ root: '/v1', authorization: () => ({}) });
  // One mock: of two on each other, the end of the test would leave the first in place.
  const { mock } = context.mock.method(globalThis, 'fetch');
  const answerWith = (body: ReadableStream | string) =>
    mock.mockImplementation(async () => new Response(body, { status: 200 }));
  const broken = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"id":'));
      controller.error(new TypeError('terminated'));
    },
  });
  answerWith(broken);
  await assert.rejects(client.getJob('1'), (error: ProblemError) => error.problem === unreachable);
  answerWith('<html>Sign in</html>');
  await assert.rejects(client.getJob('1'), (error: ProblemError) => error.problem.code === 'answer-invalid');
});

test('a proxy that takes no large bodies (413) is named, though it answers with a page of its own', async () => {
  // As nginx with its limit of 1 MB: the page at once, what still comes is read and dropped, then the connection ends.
  const page = '<html><head><title>413 Request Entity Too Large</title></head></html>';
  const proxy = createServer((request, response) => {
    response.writeHead(413, { 'content-type': 'text/html', connection: 'close' }).end(page);
    request.resume();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = proxy.address() as AddressInfo;
    const client = new UncolClient({ root: `http://127.0.0.1:${port}/v1`, authorization: () => ({}) });
    await assert.rejects(client.submitCorrection(new Uint8Array(1000), 'key-1'), ({ problem }: ProblemError) => {
      assert.equal(problem.code, 'request-too-large');
      assert.match(problem.hint, /^Your edits are kept\./);
      return true;
    });
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});
