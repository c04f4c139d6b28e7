import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sampleStudies } from '../../server/src/sample/studies.ts';
import { unpackDebian } from '../../server/src/setup/debian.ts';
import { samplePackages } from '../../server/src/setup/prepare.ts';
import { memoryMib } from './memory.ts';
import type { Bench, Row } from './record.ts';
import { type SeriesAddress, segment, startServer } from './server-process.ts';
import { spreadTable } from './spread.ts';
import { quantile } from './statistics.ts';

const runs = 5;
const model = 'brain-mr@1';

/** Kept between benches: downloads, PACS and database as a first start leaves them. */
export const preparedHome = join(tmpdir(), 'uncol-bench-home');

/** Fills {@link preparedHome} by a first start, which is not measured. */
export async function prepareHome(): Promise<void> {
  await (await startServer(preparedHome)).stop();
}

/** Address of a sample study by its name. */
export async function findSample(name: string, home = preparedHome): Promise<SeriesAddress> {
  const sampleRoot = await unpackDebian(home, samplePackages, () => {});
  for await (const study of sampleStudies({ sampleRoot })) {
    const { studyInstanceUid, seriesInstanceUid } = study;
    if (study.name === name) return { studyInstanceUid, seriesInstanceUid };
  }
  throw new RangeError(`no sample study ${name}`);
}

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  tell('preparing');
  await prepareHome();
  const colin = await findSample('colin27');
  const rows: Row[] = [];
  const add = (row: Row) => {
    tell(JSON.stringify(row));
    rows.push(row);
  };
  for (let n = 1; n <= runs; n++) {
    const server = await startServer(preparedHome);
    try {
      const { livezMs, readyzMs } = server;
      const { totalMs } = await segment(server.url, colin, model);
      add({ what: 'cold start', run: n, ...whole({ livezMs, readyzMs, firstInferenceMs: totalMs }) });
      if (n === runs) for (const row of await measureWarm(server, colin)) add(row);
    } finally {
      await server.stop();
    }
  }
  return rows;
}

async function measureWarm(server: Awaited<ReturnType<typeof startServer>>, colin: SeriesAddress): Promise<Row[]> {
  const rows: Row[] = [];
  for (let n = 1; n <= runs; n++) {
    const { inference, totalMs } = await segment(server.url, colin, model);
    const stages = Object.entries(inference.timingsMs).map(([stage, ms]) => [`${stage}Ms`, ms] as const);
    rows.push({ what: 'inference', run: n, ...whole({ ...Object.fromEntries(stages), totalMs }) });
  }
  const {
    server: serverMib,
    inference: inferenceMib,
    postgres: postgresMib,
    orthanc: orthancMib,
  } = memoryMib(server.pid, server.home);
  const { inference: inferencePeakMib } = memoryMib(server.pid, server.home, 'peak');
  const memory = { serverMib, inferenceMib, inferencePeakMib, postgresMib, orthancMib };
  const measured = Object.entries(memory).map(([key, mib]) => [key, mib ?? null] as const);
  rows.push({ what: 'memory', run: 1, ...wholeOrNull(Object.fromEntries(measured)) });
  for (let n = 1; n <= runs; n++) {
    const ended = new AbortController();
    const asking = askWhile(`${server.url}/livez`, ended.signal);
    await segment(server.url, colin, model);
    ended.abort();
    const times = await asking;
    const share = (part: number) => Number(quantile(times, part).toFixed(2));
    rows.push({
      what: 'livez',
      run: n,
      requests: times.length,
      p50Ms: share(0.5),
      p99Ms: share(0.99),
      maxMs: share(1),
    });
  }
  return rows;
}

/** Asks one request after the other over one connection, with 5 ms between them; milliseconds of each. */
async function askWhile(address: string, signal: AbortSignal): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  while (!signal.aborted) {
    const started = performance.now();
    await new Promise((resolve, reject) => {
      get(address, { agent }, (response) => response.resume().once('end', resolve)).once('error', reject);
    });
    times.push(performance.now() - started);
    await sleep(5);
  }
  agent.destroy();
  return times;
}

/** Values rounded to whole numbers. */
export function whole(values: Readonly<Record<string, number>>): Row {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Math.round(value)]));
}

function wholeOrNull(values: Readonly<Record<string, number | null>>): Row {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, value === null ? null : Math.round(value)]),
  );
}

function report(rows: readonly Row[]): string {
  return spreadTable(rows, [
    ['livezMs', 'cold start until `/livez`, ms'],
    ['readyzMs', 'cold start until `/readyz`, ms'],
    ['firstInferenceMs', 'first inference, its process included, ms'],
    ['totalMs', '**inference, whole, ms**'],
    ['retrieveMs', 'of it: retrieve'],
    ['decodeMs', 'of it: decode'],
    ['resampleMs', 'of it: resample'],
    ['loadMs', 'of it: load the network, where it was not loaded'],
    ['segmentMs', 'of it: network'],
    ['decideMs', 'of it: decide'],
    ['saveMs', 'of it: save'],
    ['p50Ms', '`/livez` during inference, p50, ms'],
    ['p99Ms', '`/livez` during inference, p99, ms'],
    ['maxMs', '`/livez` during inference, slowest, ms'],
    ['serverMib', 'memory: server, MiB'],
    ['inferenceMib', 'memory: inference process, MiB'],
    ['inferencePeakMib', 'memory: inference process, its peak, MiB'],
    ['postgresMib', 'memory: PostgreSQL, all processes, MiB'],
    ['orthancMib', 'memory: Orthanc, MiB'],
  ]);
}

export const server: Bench = {
  name: 'server',
  title: 'Server without a browser',
  about:
    'The server as `npm start` runs it, on a home that an earlier start has prepared; brain-mr (full student) on Colin27, 181 slices, by REST. Cold start: from the start of the process; the first inference starts the inference process. Then five inferences alone, and five with `/livez` asked all the time, one request after the other. Memory after the inferences: resident, for PostgreSQL proportional. The trainer stands in round.md.',
  run,
  report,
};
