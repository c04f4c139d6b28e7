import { fileURLToPath } from 'node:url';
import { Random } from '../../server/src/engine/random.ts';
import { createRegistry, seedFolder } from '../../server/src/registry/registry.ts';
import type { Database } from '../../server/src/store/database.ts';
import type { SeriesRecord } from '../../server/src/study/dicom-json.ts';
import { createWorklists } from '../../server/src/worklist/worklists.ts';
import { startTestDatabase } from '../integration/database.ts';
import type { Bench, Row } from './record.ts';
import { spreadTable } from './spread.ts';

const runs = 7;
const studies = 10_000;
/** Six segments: of the models that come along, the one with most. */
const model = 'brain-parts-mr';
const segments = 6;
const digest = '0'.repeat(64);

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const test = await startTestDatabase();
  try {
    tell('filling the database');
    await fill(test.database);
    const registry = createRegistry({
      seedFolder: fileURLToPath(seedFolder),
      serviceFolder: test.home,
      aliases: async () => new Map(),
    });
    const series = Array.from({ length: studies }, (_, n) => recordOf(n));
    const worklists = createWorklists({
      database: test.database,
      registry,
      // What a PACS takes for its answer is not what is measured here, and it is asked twice a minute at most.
      pacs: { searchSeries: async () => series },
    });
    const rows: Row[] = [];
    const measure = async (key: string, n: number, work: () => Promise<unknown>) => {
      const started = performance.now();
      await work();
      const row = { run: n, [key]: Math.round(performance.now() - started) };
      tell(JSON.stringify(row));
      rows.push(row);
    };
    const page = { model, reader: 'a', limit: 50, offset: 0 } as const;
    await worklists.read({ ...page, order: 'worklist' });
    for (let n = 1; n <= runs; n++) {
      for (const order of ['uncertainty', 'random', 'worklist'] as const)
        await measure(`${order}Ms`, n, () => worklists.read({ ...page, order }));
      const next = { model, order: 'uncertainty', reader: `reader ${n}` } as const;
      await measure('nextMs', n, () => worklists.openNext(next));
      await measure('allAtOnceMs', n, () =>
        Promise.all(Array.from({ length: 5 }, (_, at) => worklists.openNext({ ...next, reader: `${n} ${at}` }))),
      );
    }
    return rows;
  } finally {
    await test.close();
  }
}

function recordOf(n: number): SeriesRecord {
  return {
    studyInstanceUid: studyOf(n),
    seriesInstanceUid: `${studyOf(n)}.1`,
    modality: 'MR',
    bodyPart: n % 3 === 0 ? '' : 'BRAIN',
    instances: 180,
    description: 'T1 3D sagittal',
    studyDate: String(20_150_101 + (n % 28)),
  };
}

const studyOf = (n: number) => `1.2.826.0.1.3680043.10.1234.${n}`;

/** Nine of ten have been segmented, a fifth has been corrected, one in fifty is excluded. */
async function fill(database: Database): Promise<void> {
  const random = new Random(1);
  await database.query(`insert into subject (key, held_out) values ('trains', false)`);
  await database.transaction(async (tx) => {
    for (let n = 0; n < (studies * 9) / 10; n++) {
      const id = crypto.randomUUID();
      await tx.query(`insert into job_progress (id, kind, owner, state) values ($1, 'infer', 'server', 'done')`, [id]);
      await tx.query(
        `insert into prediction (id, job_id, study_instance_uid, series_instance_uid, model_name, model_version,
           model_sha256, tracking_uid, requested_by, request_sha256, labelmap_sha256, result, subject_key)
         values ($1, $1, $2, $3, $4, 1, $5, '1.2', 'server', $5, $5, $6::jsonb, 'trains')`,
        [id, studyOf(n), `${studyOf(n)}.1`, model, digest, JSON.stringify(resultOf(random))],
      );
      if (n % 5 === 0)
        await tx.query(
          `insert into correction (id, prediction_id, seg_sop_instance_uid, seg_series_instance_uid,
             seg_series_description, reader, idempotency_key, body_sha256, kind, labelmap_sha256, approved_slices,
             changed_voxels, study_instance_uid, series_instance_uid, model_name, model_version, tracking_uid, subject_key, held_out)
           values ($1::uuid, $1::uuid, $1::uuid::text, '1', '', 'a', $1::uuid::text, $2, 'edited', $2, '{1}', 1, $3, $4, $5, 1, '1.2', 'trains', false)`,
          [id, digest, studyOf(n), `${studyOf(n)}.1`, model],
        );
      if (n % 50 === 0)
        await tx.query(
          `insert into exclusion (model_name, series_instance_uid, study_instance_uid, actor, reason)
           values ($1, $2, $3, 'a', 'motion')`,
          [model, `${studyOf(n)}.1`, studyOf(n)],
        );
    }
  });
  await database.query('analyze');
}

function resultOf(random: Random) {
  const numbers = Array.from({ length: segments }, (_, n) => n + 1);
  return {
    segments: numbers.map((number) => ({ number, label: `Part ${number}`, voxels: 9, ml: 1.5, colour: [200, 90, 40] })),
    missingSegments: [],
    uncertainty: random.next(),
    uncertaintyBySegment: numbers.map(() => random.next()),
    timingsMs: { retrieve: 900, decode: 40, resample: 120, segment: 2100, decide: 300, save: 8 },
    notes: [],
  };
}

/** How long a worklist of a large PACS takes. */
export const worklist: Bench = {
  name: 'worklist',
  title: 'Worklist of 10,000 studies',
  about: `A page of the worklist of \`${model}\` and the next case, over ${studies.toLocaleString('en')} studies of which nine of ten have been segmented: own PostgreSQL, the list of the PACS in memory already, as it is but for twice a minute. Each run reads all facts anew, joins and orders them.`,
  run,
  report: (rows) =>
    spreadTable(rows, [
      ['uncertaintyMs', '**page, by uncertainty, ms**'],
      ['randomMs', 'page, at random, ms'],
      ['worklistMs', 'page, newest first, ms'],
      ['nextMs', 'next case, claimed, ms'],
      ['allAtOnceMs', 'five readers ask for it at the same time, until the last has it, ms'],
    ]),
};
