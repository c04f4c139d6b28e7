// `round-memory-child.ts STUDIES RUN FOLDER`: a round of lesion-mr in a pool of so many corrected studies, in a process of
// its own so that its memory is that of one round. Series are generated when they are read, as a PACS would send them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { createOnnxEngine } from '../../server/src/engine/onnx/engine.ts';
import { Random } from '../../server/src/engine/random.ts';
import { fromHalf } from '../../server/src/engine/vectors.ts';
import { encodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import { readVersion } from '../../server/src/registry/registry.ts';
import { roundPlanSchema } from '../../server/src/round/plan.ts';
import { drawCorrections } from '../../server/src/round/plan-round.ts';
import { parseRecipe } from '../../server/src/round/recipe.ts';
import { runRound } from '../../server/src/round/run.ts';
import { loadColin27 } from '../../server/src/sample/colin27.ts';
import { abstainingTeacher } from '../../server/src/uncol/teachers/generalized.ts';
import { findSampleRoot } from '../fixtures/sample-root.ts';
import { benchThreads } from './limits.ts';
import { chooseApproved, makeShifted, type ShiftedSubject } from './shifted-subjects.ts';

const [studies = 0, run = 0] = process.argv.slice(2, 4).map(Number);
const folder = process.argv[4] ?? '';
const unlabelledSeries = 6;

const { root, skip } = await findSampleRoot();
if (skip) throw new Error(skip);
const colin = await loadColin27(root);
const versionFolder = fileURLToPath(new URL('../../models/lesion-mr/1', import.meta.url));
const version = await readVersion(versionFolder, 'seed');
if (!version) throw new Error(`no model in ${versionFolder}`);
const { card } = version;

let latest: { readonly seed: number; readonly subject: ShiftedSubject } | undefined;
/** One at a time, as a round reads them. */
function subjectOf(seed: number): ShiftedSubject {
  if (latest?.seed !== seed) latest = { seed, subject: makeShifted(colin, seed) };
  return latest.subject;
}

const seedOf = (uid: string) => Number(uid.split('.')[2]);
const refOf = (seed: number) => ({ studyInstanceUid: `2.25.${seed}.1`, seriesInstanceUid: `2.25.${seed}.2` });
const firstSeed = 50_000 + 1000 * run;
const pool = Array.from({ length: studies }, (_, n) => ({
  seed: firstSeed + n,
  usedInRound: n % 2 ? 'earlier' : null,
}));
const plan = roundPlanSchema.parse({
  roundId: `00000000-0000-4000-8000-${String(run).padStart(12, '0')}`,
  model: { name: card.name, fromVersion: card.version, toVersion: card.version + 1 },
  ...{ seed: run, steps: 20, unlabelledSlices: 60 },
  corrections: drawCorrections(pool, Random.for(run)).map(({ seed, usedInRound }) => ({
    ...refOf(seed),
    correctionId: `00000000-0000-4000-9000-${String(seed).padStart(12, '0')}`,
    labelmapSha256: String(seed),
    approvedSlices: approvedOf(seed),
    isNew: usedInRound === null,
  })),
  unlabelled: Array.from({ length: unlabelledSeries }, (_, n) => refOf(firstSeed + 900 + n)),
});

function approvedOf(seed: number): string[] {
  const subject = subjectOf(seed);
  const approved = chooseApproved(subject, { lesion: 10, rest: 30 });
  return [...approved].map((k) => subject.series.instances[k]?.sopInstanceUid ?? '');
}

const started = performance.now();
await runRound(
  plan,
  {
    readSeries: async ({ seriesInstanceUid }) => subjectOf(seedOf(seriesInstanceUid)).series,
    blobs: {
      put: async () => '',
      get: async (sha256) => {
        const { series, truth } = subjectOf(Number(sha256));
        const [columns, rows] = series.volume.geometry.size;
        const slices = series.instances.map(({ sopInstanceUid }) => sopInstanceUid);
        return gzipSync(encodeEnvelope({ columns, rows, slices }, truth));
      },
    },
    ...{ colin, card, teacher: abstainingTeacher('None takes part.') },
    recipe: parseRecipe(await readFile(join(version.folder, 'recipe.json'), 'utf8')),
  },
  createOnnxEngine({ threads: benchThreads }),
  fromHalf(await readFile(join(version.folder, card.weights.file))),
  { folder, onProgress: () => undefined, signal: new AbortController().signal },
);
const seconds = Math.round((performance.now() - started) / 1000);
const peakMib = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(`${JSON.stringify({ corrections: plan.corrections.length, peakMib, seconds })}\n`);
