import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AppError } from '../../server/src/errors/app-error.ts';
import { Splits } from '../../server/src/round/data/splits.ts';
import type { Drawn } from '../../server/src/round/feed.ts';
import { parseRecipe } from '../../server/src/round/recipe.ts';
import { type Orthanc, startOrthanc } from '../../server/src/setup/orthanc.ts';
import { createPacs, type Pacs } from '../../server/src/study/dicomweb.ts';
import {
  ballSegment,
  makePhantom,
  makePhantomSeg,
  makePhantomSeries,
  type Phantom,
  type SegOptions,
  siteRecipe,
} from '../fixtures/make-site.ts';

let home: string;
let orthanc: Orthanc;
let pacs: Pacs;
const notes: string[] = [];

/** Stores a series of a patient with SEGs that refer to it. */
async function store(seed: number, patient: string, segs: readonly (SegOptions & { readonly truth?: Phantom })[]) {
  const phantom = makePhantom(seed);
  const series = makePhantomSeries(phantom, seed, patient);
  for (const file of series.files) await pacs.store(file);
  for (const [n, { truth = phantom, ...options }] of segs.entries()) {
    await pacs.store(makePhantomSeg(truth, series, seed, { name: `${n}`, patientId: patient, ...options }));
  }
  return series;
}

const day = (n: number) => new Date(Date.UTC(2026, 0, n));
const lesion = { ...ballSegment, label: 'Lesion' };

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'uncol-site-pacs-'));
  orthanc = await startOrthanc({ home, log: () => {} });
  pacs = createPacs({ url: orthanc.url, credentials: orthanc.credentials, idleSeconds: 20, retries: 1 });
  // The newest that shows a ball and was read: not the older one, the automatic one, or that of another structure.
  await store(1, 'DOE-1', [
    { truth: makePhantom(91), createdAt: day(3) },
    { createdAt: day(5) },
    { truth: makePhantom(92), createdAt: day(6), algorithmType: 'AUTOMATIC' },
    { truth: makePhantom(93), createdAt: day(7), segment: lesion },
  ]);
  await store(2, 'DOE-2', [{}]);
  await store(3, 'DOE-3', []);
  await store(4, 'DOE-4', [{ algorithmType: 'AUTOMATIC' }]);
  // A second series of the patient of the first.
  await store(5, 'DOE-1', [{}]);
});

after(async () => {
  await pacs?.close();
  await orthanc?.stop();
  if (home) await rm(home, { recursive: true, force: true });
});

const source = (query: object, more: object = {}) => ({
  kind: 'dicomweb',
  url: orthanc.url,
  query,
  slicesPerSubject: 50,
  ...more,
});
const generated = { seeds: { from: 1, to: 1 }, variation: 'sample', slicesPerSubject: 1 };

async function open(changes: Readonly<Record<string, unknown>>): Promise<Splits> {
  const text = await siteRecipe({ validation: generated, test: { seeds: { from: 2, to: 2 } }, ...changes });
  notes.length = 0;
  return Splits.open(parseRecipe(text), {
    colin: undefined,
    openPacs: async (url) => createPacs({ url, credentials: orthanc.credentials, idleSeconds: 20, retries: 1 }),
    onNote: (note) => void notes.push(note),
  });
}

async function load(labelled: object): Promise<readonly Drawn[]> {
  const splits = await open({ labelled });
  const subjects: Drawn[] = [];
  try {
    for await (const subject of splits.draw('labelled')) subjects.push(subject);
    return subjects;
  } finally {
    await splits.close();
  }
}

const foreground = (subject: Drawn | undefined) =>
  (subject?.pieces ?? []).reduce((sum, { label }) => sum + label.reduce((count, value) => count + value, 0), 0);

test('series with a truth are found; the truth is the newest SEG of the wanted segment that a reader touched', async () => {
  const series = makePhantomSeries(makePhantom(1), 1, 'DOE-1');
  const [only, ...others] = await load(source({ SeriesInstanceUID: series.seriesInstanceUid }));
  assert.deepEqual(others, []);
  // The bright ball is inside the truth: that of another phantom would cover dark pixels.
  const values = (only?.pieces ?? []).flatMap(({ image, label }) => [...image].filter((_, n) => label[n] === 1));
  assert.ok(values.length > 100);
  assert.ok(values.filter((value) => value > 0.6).length > 0.8 * values.length, 'the label lies on the ball');
});

test('series without a truth are passed over and counted; automatic ones count when asked', async () => {
  const some = await load(source({ Modality: 'MR' }));
  assert.equal(some.length, 3);
  assert.deepEqual(notes, ['labelled: 3 of 5 series in the PACS have a truth']);
  assert.ok(some.every((subject) => foreground(subject) > 100));
  const more = await load(source({ Modality: 'MR' }, { acceptAutomatic: true }));
  assert.equal(more.length, 4);
});

test('matching keys narrow the search, and a split without any match is empty', async () => {
  assert.equal((await load(source({ StudyDate: '20200101' }))).length, 3);
  await assert.rejects(load(source({ StudyDate: '20210101-20211231' })), { code: 'split-empty' });
  await assert.rejects(load(source({ Modality: 'CT' })), { code: 'split-empty' });
});

test('one query shared out by patient gives splits that share none', async () => {
  const halves = await Promise.all(
    [
      { fromPercent: 0, toPercent: 50 },
      { fromPercent: 50, toPercent: 100 },
    ].map((patients) =>
      load(source({ Modality: 'MR' }, { patients })).catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'split-empty') return [];
        throw error;
      }),
    ),
  );
  // Two patients have truths, one of them two series: they stay together.
  assert.deepEqual(halves.map((half) => half.length).sort(), [1, 2]);
});

test('a patient whose series fall into two splits is refused, by case and without a name', async () => {
  const of = (seed: number) =>
    source({ SeriesInstanceUID: makePhantomSeries(makePhantom(seed), seed, '').seriesInstanceUid });
  await assert.rejects(open({ labelled: of(1), validation: of(5) }), (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'split-patient-shared');
    assert.match(error.message, /labelled 1 and case validation 1/);
    assert.doesNotMatch(error.message, /DOE/);
    return true;
  });
  await (await open({ labelled: of(1), validation: of(2) })).close();
});
