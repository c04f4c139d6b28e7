import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Inference, Job, LabelmapHead, Receipt } from '../../server/src/http/contract.ts';
import type { Round } from '../../server/src/http/contract-learning.ts';
import { decodeEnvelope, encodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import { benchFolder } from './record.ts';

const checkout = dirname(dirname(benchFolder));

export interface SeriesAddress {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
}

/** A server started as `npm start` does, in a process of its own. */
export interface ServerProcess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly home: string;
  /** Of `npm start`'s own process; the server descends from it. */
  readonly pid: number;
  /** From the start of the process until `/livez` and `/readyz` answered 200. */
  readonly livezMs: number;
  readonly readyzMs: number;
  /** Ctrl-C, and waits until everything has ended. */
  stop(): Promise<void>;
}

/**
 * Starts a server on `home` and waits until it is ready.
 *
 * @param environment further `UNCOL_*` variables.
 */
export async function startServer(home: string, environment: Record<string, string> = {}): Promise<ServerProcess> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { ...process.env, UNCOL_HOME: home, UNCOL_PORT: String(port), UNCOL_LOG_LEVEL: 'warn', ...environment };
  const started = performance.now();
  const child = spawn(process.execPath, [join(checkout, 'server/start.mjs')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => lines.push(String(bytes)));
  const until200 = async (path: string) => {
    while (!(await answers(url + path))) {
      if (child.exitCode !== null)
        throw new Error(`the server ended with ${child.exitCode}: ${lines.join('').slice(-2000)}`);
      await sleep(10);
    }
    return performance.now() - started;
  };
  const livezMs = await until200('/livez');
  const readyzMs = await until200('/readyz');
  return { url, home, pid: child.pid ?? 0, livezMs, readyzMs, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  await ended;
}

function answers(address: string): Promise<boolean> {
  return fetch(address).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status === 200;
    },
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('no port');
  return address.port;
}

/** GET as JSON. */
export async function read<T>(url: string, path: string): Promise<T> {
  const response = await fetch(url + path);
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** POST of JSON, answered by JSON. */
export function postJson<T>(url: string, path: string, body: object): Promise<T> {
  return post<T>(url, path, JSON.stringify(body), { 'content-type': 'application/json' });
}

async function post<T>(url: string, path: string, body: string | Uint8Array, headers: Record<string, string>) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'idempotency-key': randomUUID(), ...headers },
    body,
  });
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** Segments a series to its end. `totalMs` runs from the request until the job's last event. */
export async function segment(
  url: string,
  series: SeriesAddress,
  model: string,
): Promise<{ readonly inference: Inference; readonly totalMs: number }> {
  const started = performance.now();
  const { id, jobId } = await postJson<{ id: string; jobId: string }>(url, '/v1/inferences', { ...series, model });
  await followJob(url, jobId);
  const totalMs = performance.now() - started;
  const inference = await read<Inference>(url, `/v1/inferences/${id}`);
  if (inference.state !== 'done') throw new Error(`the inference ended ${inference.state}`);
  return { inference, totalMs };
}

/** Waits for the last event of a job. */
export async function followJob(url: string, jobId: string): Promise<Job> {
  const text = await (await fetch(`${url}/v1/jobs/${jobId}/events`)).text();
  const last = [...text.matchAll(/^data: (.*)$/gm)].at(-1)?.[1];
  if (last === undefined) throw new Error(`no event of job ${jobId}`);
  return JSON.parse(last) as Job;
}

/** The mask of an inference, one byte a voxel in slice order. */
export async function readLabelmap(url: string, id: string) {
  const response = await fetch(`${url}/v1/inferences/${id}/labelmap`);
  const { head, labels } = decodeEnvelope(new Uint8Array(await response.arrayBuffer()));
  return { head: head as LabelmapHead, labels };
}

/** Hands in `labels`, vouched for on some slices: SOP Instance UIDs, all by default. */
export async function submit(
  url: string,
  inferenceId: string,
  head: LabelmapHead,
  labels: Uint8Array,
  approvedSlices: readonly string[] = head.slices,
): Promise<Receipt> {
  return postSubmission(url, packSubmission(inferenceId, head, labels, approvedSlices));
}

/** What the viewer sends, packed as it does. */
export function packSubmission(
  inferenceId: string,
  head: LabelmapHead,
  labels: Uint8Array,
  approvedSlices: readonly string[] = head.slices,
): Uint8Array {
  const correction = { ...head, inferenceId, kind: 'edited', approvedSlices };
  return gzipSync(encodeEnvelope(correction, labels));
}

export function postSubmission(url: string, body: Uint8Array): Promise<Receipt> {
  return post<Receipt>(url, '/v1/corrections', body, {
    'content-type': 'application/octet-stream',
    'content-encoding': 'gzip',
  });
}

/** The round with this id. */
export async function readRound(url: string, id: string): Promise<Round> {
  return read<Round>(url, `/v1/rounds/${id}`);
}
