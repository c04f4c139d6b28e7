import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabelmapHead, ModelList } from '../../server/src/http/contract.ts';
import { evenly } from '../../server/src/round/draw.ts';
import { meanOf } from '../../server/src/round/statistics.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { sampleTruth } from '../../server/src/sample/studies.ts';
import { unpackDebian } from '../../server/src/setup/debian.ts';
import { samplePackages } from '../../server/src/setup/prepare.ts';
import { memoryMib } from './memory.ts';
import { type Bench, numbersOf, type Row, table } from './record.ts';
import { overlap } from './served-dice.ts';
import { findSample, preparedHome, prepareHome } from './server.ts';
import {
  postJson,
  read,
  readLabelmap,
  readRound,
  type ServerProcess,
  segment,
  startServer,
  submit,
} from './server-process.ts';
import { shorten, spreadTable } from './spread.ts';

const model = 'lesion-mr';
const corrected = ['lesion-10100', 'lesion-10101'];
const approvedPerStudy = 10;
const rollbacks = 7;
/** Each from version 1 in a home of its own; all learn the same, only their times differ. */
const runs = 5;
const untouched = ['lesion-10102', 'lesion-10103', 'lesion-10104', 'lesion-10105'];

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  tell('preparing');
  await prepareHome();
  const rows: Row[] = [];
  for (let n = 1; n <= runs; n++) {
    const say = (line: string): void => tell(`run ${n}: ${line}`);
    for (const row of await playOnce(say)) rows.push({ run: n, ...row });
    say(JSON.stringify(rows.find((row) => row['run'] === n)));
  }
  return rows;
}

async function playOnce(tell: (line: string) => void): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'uncol-bench-'));
  const home = join(folder, 'home');
  // A copy, so that every run starts from version 1 and without corrections.
  await cp(preparedHome, home, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  const environment = { UNCOL_CORRECTIONS_PER_ROUND: String(corrected.length), UNCOL_HELD_OUT_PERCENT: '0' };
  const server = await startServer(home, environment);
  try {
    const readTruth = await truthReader();
    const dice = async (name: string) => {
      const { inference } = await segment(server.url, await findSample(name), model);
      const { labels } = await readLabelmap(server.url, inference.id);
      return { version: inference.model.version, value: overlap(labels, readTruth(name)) };
    };
    const before = new Map<string, number>();
    for (const name of untouched) before.set(name, (await dice(name)).value);
    tell('correcting');
    const round = await correctAndWait(server, readTruth, tell);
    const rows: Row[] = [round];
    for (const name of untouched) {
      const { value, version } = await dice(name);
      rows.push({
        what: 'untouched',
        study: name,
        before: four(before.get(name) ?? Number.NaN),
        after: four(value),
        version,
      });
    }
    if (round['verdict'] === 'promoted') rows.push(...(await timeRollbacks(server.url, 2)));
    return rows;
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Corrects two studies by their truth; the second starts the round. */
async function correctAndWait(
  server: ServerProcess,
  readTruth: (name: string) => Uint8Array,
  tell: (line: string) => void,
): Promise<Row> {
  let roundId: string | null = null;
  let started = 0;
  for (const name of corrected) {
    const { inference } = await segment(server.url, await findSample(name), model);
    const { head } = await readLabelmap(server.url, inference.id);
    started = performance.now();
    const truth = readTruth(name);
    roundId = (await submit(server.url, inference.id, head, truth, approve(head, truth))).roundId;
  }
  if (roundId === null) throw new Error(`${corrected.length} corrections started no round`);
  let trainerPeakMib = 0;
  for (;;) {
    trainerPeakMib = Math.max(trainerPeakMib, memoryMib(server.pid, server.home, 'peak').trainer ?? 0);
    const round = await readRound(server.url, roundId);
    if (round.error) throw new Error(`the round failed: ${round.error.code} ${round.error.message}`);
    if (round.verdict) {
      const { outcome, reason, chosen } = round.verdict;
      tell(reason);
      return {
        what: 'round',
        submitToVerdictSeconds: Math.round((performance.now() - started) / 100) / 10,
        verdict: outcome,
        chosen: `${chosen.source} ${chosen.step}`,
        baseBefore: four(round.verdict.inServiceDice),
        baseAfter: four(round.verdict.candidateDice),
        labelledSlices: round.labelledSlices,
        replaySlices: round.replaySlices,
        unlabelledSlices: round.unlabelledSlices,
        trainerPeakMib: Math.round(trainerPeakMib),
      };
    }
    await sleep(500);
  }
}

/** Slices to vouch for: six through the lesion and four beside it, spread evenly. */
function approve({ slices, columns, rows }: LabelmapHead, truth: Uint8Array): readonly string[] {
  const pixels = columns * rows;
  const isFilled = (k: number) => truth.subarray(k * pixels, (k + 1) * pixels).includes(1);
  const all = [...slices.keys()];
  const chosen = [
    ...evenly(all.filter(isFilled), 6),
    ...evenly(
      all.filter((k) => !isFilled(k)),
      approvedPerStudy - 6,
    ),
  ];
  return chosen.map((k) => slices[k] ?? '');
}

/** Takes the new version back and puts it in service again, so often. @returns of each roll-back the time until it is done, ms. */
async function timeRollbacks(url: string, version: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let n = 0; n < rollbacks; n++) {
    if (n > 0) await postJson(url, '/v1/promotions', { name: model, version, reason: 'bench' });
    const started = performance.now();
    await postJson(url, '/v1/rollbacks', { model, reason: 'bench' });
    const { models } = await read<ModelList>(url, '/v1/models');
    const ms = Math.round(10 * (performance.now() - started)) / 10;
    const serves = models.find(({ name, inService }) => name === model && inService)?.version;
    if (serves === version) throw new Error('the version is still in service');
    rows.push({ what: 'rollback', rollbackMs: ms });
  }
  return rows;
}

async function truthReader(): Promise<(name: string) => Uint8Array> {
  const colin = await loadColin27(await unpackDebian(preparedHome, samplePackages, () => {}));
  return (name) => sampleTruth(colin, name).truth;
}

function four(value: number): number {
  return Number(value.toFixed(4));
}

function report(rows: readonly Row[]): string {
  const rounds = rows.filter((row) => row['what'] === 'round');
  const lines = rounds.map((round) => {
    const studies = rows.filter((row) => row['what'] === 'untouched' && row['run'] === round['run']);
    const mean = (key: string) => shorten(meanOf(numbersOf(studies, key)));
    return [
      String(round['run']),
      String(round['submitToVerdictSeconds']),
      `${round['verdict']}, ${round['chosen']}`,
      `${mean('before')}, ${mean('after')}`,
      `${round['baseBefore']}, ${round['baseAfter']}`,
      `${round['labelledSlices']}, ${round['replaySlices']}, ${round['unlabelledSlices']}`,
    ];
  });
  const head = [
    'run',
    'submit to verdict, s',
    'verdict and weights',
    `Dice on ${untouched.length} untouched studies, before and after`,
    'base set of the gate',
    'slices: corrected, replayed, unlabelled',
  ];
  return `${table(head, lines)}

${spreadTable(rows, [
  ['submitToVerdictSeconds', '**submit of the second correction to verdict, s**'],
  ['rollbackMs', 'roll-back until the version before serves, ms'],
  ['trainerPeakMib', 'peak memory of the trainer, MiB'],
])}`;
}

export const round: Bench = {
  name: 'round',
  title: 'A round on twenty corrected slices',
  about:
    'The server as `npm start` runs it with its default settings (no patients held out), lesion-mr (full student), five times from its first version. Two sample studies are segmented and corrected by their truth, ten slices of each vouched for, six of them through the lesion; the second correction starts the round. Then four studies that nobody corrected are segmented again, by the version in service. Dice is that of the mask the viewer gets, on the grid of the source. In the end the version is rolled back and promoted in turn; a roll-back is timed from the request until the list of models shows the version before in service.',
  run,
  report,
};
