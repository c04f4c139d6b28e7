import { createHash, randomUUID } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Random } from '../../server/src/engine/random.ts';
import { toHalf } from '../../server/src/engine/vectors.ts';
import type { RoundVerdict } from '../../server/src/jobs/rounds.ts';
import { openDatabase } from '../../server/src/store/database.ts';
import { databaseFolder, serverUser } from '../../server/src/store/postgres-folders.ts';
import { listRounds } from '../../server/src/store/rounds.ts';
import { LoopClient } from '../fixtures/loop-client.ts';
import { type LoopServerProcess, startLoopServerProcess } from '../fixtures/loop-server.ts';
import { type LoopWorld, openWorld, type StoredSubject } from '../fixtures/loop-world.ts';
import { truthOn } from '../fixtures/masks.ts';
import { childrenOf } from '../fixtures/processes.ts';
import { tinyName } from '../fixtures/tiny-model.ts';
import { runUndisturbed } from '../fixtures/undisturbed-round.ts';
import type { Bench, Row } from './record.ts';

const runs = 5;
const faultsPerRun = 16;
/** Beside these the disk is filled for some seconds, as often. */
const diskMib = 800;
const targets = ['trainer', 'server', 'database', 'disk'] as const;
type Target = (typeof targets)[number];

/** A server that is started again whenever something of it has been killed. */
class Victim {
  readonly #world: LoopWorld;
  #server: LoopServerProcess | undefined;
  readonly client = new LoopClient('');
  readonly kills: Record<Target, number> = { trainer: 0, server: 0, database: 0, disk: 0 };

  constructor(world: LoopWorld) {
    this.#world = world;
  }

  async start(): Promise<void> {
    const { home, seeds, sampleRoot, orthanc } = this.#world;
    const environment = {
      UNCOL_CORRECTIONS_PER_ROUND: '2',
      UNCOL_ROUND_STEPS: '60',
      UNCOL_ROUND_UNLABELLED_SLICES: '8',
      UNCOL_HELD_OUT_PERCENT: '0',
      UNCOL_THREADS: '1',
      UNCOL_PROMOTION: 'auto',
    };
    this.#server = await startLoopServerProcess({ home, seeds, sampleRoot, pacs: orthanc, environment });
    this.client.url = this.#server.url;
  }

  get databaseUrl(): string {
    return this.#server?.databaseUrl ?? '';
  }

  /** `kill -9` of one of its processes; a round that does not train has no trainer, and then it is the server's turn. */
  async kill(wanted: Target): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const trainers = wanted === 'trainer' ? await childrenOf(server.pid, 'train-child') : [];
    if (trainers.length > 0) {
      for (const pid of trainers) process.kill(pid, 'SIGKILL');
      this.kills.trainer += 1;
      return;
    }
    if (wanted === 'disk') return this.#fillDisk(server);
    if (wanted === 'database') {
      const folder = await databaseFolder(this.#world.home, serverUser());
      const [pid] = (await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGKILL');
      this.kills.database += 1;
      // A server without its database has nothing to do; its supervisor starts both again.
      await sleep(1000);
    } else this.kills.server += 1;
    await server.kill();
    await this.start();
  }

  /** Leaves no byte on the disk for some seconds. A server that this has ended is started again. */
  async #fillDisk(server: LoopServerProcess): Promise<void> {
    this.kills.disk += 1;
    const path = join(this.#world.home, 'ballast');
    await fillUp(path);
    await sleep(4000);
    await rm(path);
    await sleep(2000);
    const ready = await fetch(`${this.client.url}/readyz`).catch(() => undefined);
    if (ready?.ok) return;
    await server.kill();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }
}

/** Writes a file until the disk takes no more. */
async function fillUp(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let size = 2 ** 22; size >= 1; ) {
      const written = await file.write(new Uint8Array(size)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOSPC') throw error;
        return null;
      });
      // Smaller and smaller, down to the last byte.
      if (written === null || written.bytesWritten < size) size = Math.floor(size / 2);
    }
  } finally {
    await file.close();
  }
}

/** Tries for ten minutes until it succeeds: what a reader does who sees that the server is away. */
async function insist<T>(work: () => Promise<T>): Promise<T> {
  const until = Date.now() + 600_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(500);
    }
  }
}

/** Segments and corrects a subject by its truth, the same submission again and again until the server has it. */
async function correct({ client }: Victim, subject: StoredSubject): Promise<string> {
  const { inference, mask } = await insist(() => client.segment(subject));
  const key = randomUUID();
  const answer = await insist(async () => {
    const got = await client.submit(truthOn(mask, subject), { inferenceId: inference.id }, key);
    if (got.status !== 201) throw new Error(`the server answered ${got.status}`);
    return got;
  });
  return answer.body.id;
}

async function play(seed: number, tell: (line: string) => void): Promise<Row> {
  const world = await openWorld({ diskMib });
  const victim = new Victim(world);
  const started = performance.now();
  try {
    const subjects = [await world.addSubject(900 + 2 * seed), await world.addSubject(901 + 2 * seed)];
    await victim.start();
    const acknowledged: string[] = [];
    let isOver = false;
    const random = Random.for(seed, 'kills');
    const killing = (async () => {
      for (let n = 0; n < faultsPerRun; n++) {
        await sleep(300 + 7000 * random.next());
        const target = random.pick(targets);
        tell(`run ${seed}: ${target === 'disk' ? 'disk filled' : `${target} killed`} (${n + 1} of ${faultsPerRun})`);
        await victim.kill(target);
      }
      isOver = true;
    })();
    // Rounds follow each other until the last kill, and the last one ends undisturbed.
    do {
      for (const subject of subjects) acknowledged.push(await correct(victim, subject));
      await insist(async () => {
        const rounds = await victim.client.rounds(tinyName);
        if (rounds.length === 0 || rounds.some(({ state }) => state !== 'done' && state !== 'failed'))
          throw new Error('a round is open');
      });
    } while (!isOver);
    await killing;
    const row = { run: seed, ...victim.kills, ...(await inspect(world, victim, acknowledged)) };
    return { ...row, seconds: Math.round((performance.now() - started) / 1000) };
  } finally {
    await victim.stop();
    await world.close();
  }
}

/** What is left when all is quiet. */
async function inspect(world: LoopWorld, victim: Victim, acknowledged: readonly string[]) {
  for (const id of acknowledged) await victim.client.stored(id, 120_000).catch(() => undefined);
  const database = openDatabase(victim.databaseUrl);
  try {
    const kept = await database.query<{ id: string; study: string; state: string }>(
      'select id, study_instance_uid as study, state from correction',
    );
    const lost = acknowledged.filter((id) => !kept.some((row) => row.id === id && row.state === 'stored')).length;
    let objects = 0;
    for (const studyInstanceUid of new Set(kept.map(({ study }) => study))) {
      for (const modality of ['SEG', 'SR']) {
        for (const series of await world.pacs.searchSeries({ studyInstanceUid, modality }))
          objects += await world.countInstances(series);
      }
    }
    const rounds = await listRounds(database, tinyName);
    let equal = 0;
    for (const { plan, verdict, toVersion } of rounds.filter(({ state }) => state === 'done')) {
      const { outcome, weights } = await runUndisturbed(world, plan);
      const seen = verdict as RoundVerdict;
      const isSame = isDeepStrictEqual(seen.evidence.arms, outcome.arms);
      equal += Number(isSame && (toVersion === null || (await weightsHash(world, toVersion)) === hash(weights)));
    }
    return {
      acknowledged: acknowledged.length,
      lost,
      unasked: kept.length - acknowledged.length,
      duplicates: objects - 2 * kept.length,
      rounds: rounds.length,
      failed: rounds.filter(({ state }) => state === 'failed').length,
      unequal: rounds.filter(({ state }) => state === 'done').length - equal,
    };
  } finally {
    await database.close();
  }
}

function hash(weights: Float32Array): string {
  return createHash('sha256').update(toHalf(weights)).digest('hex');
}

async function weightsHash({ home }: LoopWorld, version: number): Promise<string> {
  const bytes = await readFile(join(home, 'models', tinyName, String(version), 'student.weights.bin'));
  return createHash('sha256').update(bytes).digest('hex');
}

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let seed = 1; seed <= runs; seed++) {
    const row = await play(seed, tell);
    tell(JSON.stringify(row));
    rows.push(row);
  }
  return rows;
}

const columns = {
  trainer: 'trainer killed',
  server: 'server killed',
  database: 'PostgreSQL killed',
  disk: 'disk full',
  acknowledged: 'corrections acknowledged',
  lost: '**of them lost**',
  duplicates: '**SEGs and SRs too many**',
  rounds: 'rounds',
  failed: 'failed',
  unequal: '**not bit by bit the undisturbed one**',
} as const;

function report(rows: readonly Row[]): string {
  const sum = (key: string) => rows.reduce((total, row) => total + Number(row[key] ?? 0), 0);
  const keys = Object.keys(columns) as (keyof typeof columns)[];
  const line = (first: string, cells: readonly unknown[]) => `| ${[first, ...cells].join(' | ')} |`;
  const kills = sum('trainer') + sum('server') + sum('database');
  const full = sum('disk');
  const faults = sum('lost') + sum('duplicates') + sum('failed') + sum('unequal');
  return [
    line('run', Object.values(columns)),
    line(
      '---',
      keys.map(() => '---'),
    ),
    ...rows.map((row) =>
      line(
        String(row['run']),
        keys.map((key) => row[key]),
      ),
    ),
    line(
      'all',
      keys.map((key) => sum(key)),
    ),
    '',
    `${kills} kills and ${full} full disks, ${faults === 0 ? 'nothing lost, nothing twice, every round ended with the bits of an undisturbed one' : `${faults} faults`}.`,
  ].join('\n');
}

/** What is left of corrections and rounds when processes are killed and the disk is full at random. */
export const kills: Bench = {
  name: 'kills',
  title: 'Killed, and out of disk, at random',
  about: `${runs} runs of the whole loop (own Orthanc, own PostgreSQL, lite student of the tests, one thread). Two readers' studies are corrected again and again, each pair starts a round; meanwhile \`kill -9\` hits the trainer, the server with all its children, PostgreSQL with the server, or the disk of all but the PACS is full for four seconds, ${faultsPerRun} times a run, at random instants. What died is started again. In the end the PACS and the tables are counted, and the plan of every round is run once more in another process that nobody disturbs.`,
  run,
  report,
};
