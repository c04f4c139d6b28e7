import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabelmapHead, Receipt } from '../../server/src/http/contract.ts';
import type { Bench, Row } from './record.ts';
import { findSample, whole } from './server.ts';
import {
  packSubmission,
  postSubmission,
  read,
  readLabelmap,
  type SeriesAddress,
  segment,
  startServer,
} from './server-process.ts';
import { spreadTable } from './spread.ts';

/** Of each study; those before them load the network, and let the process get into its stride. */
const runs = 9;
const warmUps = 5;

/** The heaviest sample first: thin slices; then slices of 1.5 to 3 mm, as departments take them. */
const scenes = [
  { model: 'brain-mr', sample: 'colin27' },
  { model: 'brain-mr', sample: 'brain-10000' },
  { model: 'brain-mr', sample: 'brain-10002' },
  { model: 'brain-parts-mr', sample: 'colin27' },
  { model: 'brain-mr-3d', sample: 'colin27' },
  { model: 'lesion-mr', sample: 'lesion-10100' },
  { model: 'intracranial-ct', sample: 'head-ct' },
] as const;

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  tell('preparing');
  const home = await mkdtemp(join(tmpdir(), 'uncol-stored-seg-'));
  // A round would share the cores.
  const server = await startServer(home, { UNCOL_CORRECTIONS_PER_ROUND: '1000' });
  const rows: Row[] = [];
  try {
    for (const { model, sample } of scenes) {
      const series = await findSample(sample, home);
      for (let n = 1 - warmUps; n <= runs; n++) {
        const row = await measure(server.url, series, `${model}@1`);
        if (n < 1) continue;
        rows.push({ model, sample, run: n, ...row });
        tell(JSON.stringify(rows.at(-1)));
      }
    }
    return rows;
  } finally {
    await server.stop();
    await rm(home, { recursive: true, force: true });
  }
}

async function measure(url: string, series: SeriesAddress, model: string): Promise<Row> {
  const { inference, totalMs: inferenceMs } = await segment(url, series, model);
  const { head, labels } = await readLabelmap(url, inference.id);
  erase(labels, head);
  const before = await exportSeconds(url);
  const submission = packSubmission(inference.id, head, labels);
  const started = performance.now();
  const { id, state } = await postSubmission(url, submission);
  if (state !== 'stored') await untilStored(url, id);
  const storedMs = performance.now() - started;
  const after = await exportSeconds(url);
  const exportMs = (stage: string): number => 1000 * ((after.get(stage) ?? 0) - (before.get(stage) ?? 0));
  const { retrieve = 0, segment: networkMs = 0, ...others } = inference.timingsMs;
  const transferMs = retrieve + exportMs('retrieve') + exportMs('store');
  const totalMs = inferenceMs + storedMs;
  const otherMs = totalMs - networkMs - transferMs;
  const stages = Object.entries(others).map(([stage, ms]) => [`${stage}Ms`, ms] as const);
  const parts = { totalMs, networkMs, transferMs, otherMs, ...Object.fromEntries(stages), writeMs: exportMs('write') };
  return { ...whole(parts), share: Number(((100 * otherMs) / totalMs).toFixed(1)) };
}

/** A stroke of the reader: the middle of the middle slice is no longer brain. */
function erase(labels: Uint8Array, { columns, rows, slices }: LabelmapHead): void {
  const slice = Math.floor(slices.length / 2);
  const half = 10;
  for (let j = Math.floor(rows / 2) - half; j <= rows / 2 + half; j++) {
    const middle = (slice * rows + j) * columns + Math.floor(columns / 2);
    labels.fill(0, middle - half, middle + half);
  }
}

async function untilStored(url: string, id: string): Promise<void> {
  for (;;) {
    const { state, error } = await read<Receipt>(url, `/v1/corrections/${id}`);
    if (state === 'stored') return;
    if (state === 'failed') throw new Error(`storing failed: ${error?.code}`);
    await sleep(5);
  }
}

/** Sums of the stages of what was stored so far. */
async function exportSeconds(url: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sums = text.matchAll(/^uncol_export_seconds_sum\{stage="(\w+)"\} (\S+)$/gm);
  return new Map([...sums].map(([, stage, sum]) => [stage ?? '', Number(sum)] as const));
}

function report(rows: readonly Row[]): string {
  const parts = scenes.flatMap(({ model, sample }) => {
    const own = rows.filter((row) => row['model'] === model && row['sample'] === sample);
    return own.length === 0 ? [] : [`## ${model} on ${sample}\n\n${spreads(own)}`];
  });
  return parts.join('\n\n');
}

function spreads(rows: readonly Row[]): string {
  return spreadTable(rows, [
    ['totalMs', '**study to stored SEG, ms**'],
    ['networkMs', 'of it: network'],
    ['transferMs', 'of it: transfer'],
    ['otherMs', 'of it: all else'],
    ['share', '**all else, percent**'],
    ['decodeMs', 'decode'],
    ['resampleMs', 'resample'],
    ['decideMs', 'decide'],
    ['saveMs', 'save'],
    ['writeMs', 'decode again, write SEG and SR'],
  ]);
}

/** From a study in the PACS to its corrected mask in the PACS, the reader's own time left out. */
export const storedSeg: Bench = {
  name: 'stored-seg',
  title: 'Study to stored SEG',
  about:
    'Sample studies by REST on a server as `npm start` runs it: the inference from the request to its last event, then the mask, changed by one stroke, handed in until the PACS holds SEG and SR; nine times after five that warm the process; what the viewer does between is not in it. Transfer: from the first request for the series until its last instance is here, once for the mask and once for the SEG, and the answers to the two STOW requests; the SR is written while the PACS takes the SEG, and that time is not transfer.',
  run,
  report,
};
