/** Entry of the training process: one round a task. It alone loads a network for training. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openOnce } from '../engine/candidates.ts';
import { engineName } from '../engine/choose.ts';
import { foreignGraphOpener } from '../engine/onnx/foreign.ts';
import type { Engine } from '../engine/ops.ts';
import { fromHalf } from '../engine/vectors.ts';
import { AppError } from '../errors/app-error.ts';
import { cardSchema, seesSlices } from '../registry/card.ts';
import { openTeacher } from '../registry/teachers.ts';
import { writeDurably } from '../round/checkpoint.ts';
import { keepVolumes } from '../round/kept-volumes.ts';
import type { RoundOutcome } from '../round/outcome.ts';
import { type RoundPlan, roundPlanSchema } from '../round/plan.ts';
import { parseRecipe } from '../round/recipe.ts';
import { type RoundProgress, runRound } from '../round/run.ts';
import { loadColin27 } from '../sample/colin27.ts';
import { openBlobStore } from '../store/blobs.ts';
import { type CacheFolder, openCacheFolder } from '../store/cache-folder.ts';
import { openEmbeddingFolder } from '../store/embeddings.ts';
import { createPacs, type PacsOptions } from '../study/dicomweb.ts';
import { chooseProfile } from '../study/pacs-profiles.ts';
import { readSeriesFromPacs } from '../study/series.ts';
import { abstainingTeacher, type GeneralizedTeacher } from '../uncol/teachers/generalized.ts';
import { pacsMeter, serveTasks } from './child-side.ts';
import { yieldingEngine } from './yielding-engine.ts';

/** What the process needs for its whole life. */
export interface TrainSetUp {
  readonly pacs: PacsOptions;
  readonly maxVoxels: number;
  readonly blobFolder: string;
  /** Unpacked sample packages: the base set and the replayed subjects are generated from them. */
  readonly sampleRoot: string;
  readonly threads: number;
  /** Graphs of generalized teachers that no package brings. */
  readonly teacherFiles: string;
  readonly embeddingFolder: string;
  readonly embeddingQuotaBytes: number;
  /** Volumes that rounds have read of uncorrected series. */
  readonly volumeFolder: string;
  readonly volumeQuotaBytes: number;
  /** Setting `engine`. */
  readonly engine: string;
}

export interface TrainTask {
  readonly plan: RoundPlan;
  /** Version in service: card, weights, recipe. */
  readonly modelFolder: string;
  /** Checkpoint and candidate weights are written here. */
  readonly roundFolder: string;
}

export interface TrainResult {
  readonly outcome: RoundOutcome;
  readonly tableHash: string;
  /** Canonical float32 vector in the round's folder. */
  readonly weightsPath: string;
  /** Name of the engine that trained, for the card. */
  readonly engine: string;
  /** Encodings of the generalized teacher that were found, and that had to be made. */
  readonly embeddings: CacheFolder['counts'];
  /** Volumes likewise. */
  readonly volumes: CacheFolder['counts'];
}

serveTasks<TrainSetUp, TrainTask, RoundProgress, TrainResult>((setUp, note) => {
  const openEngine = openOnce(setUp.engine, setUp, note);
  return async (task, report, whenFree) => train(setUp, openEngine, task, report, whenFree);
});

async function train(
  setUp: TrainSetUp,
  openEngine: () => Promise<Engine>,
  task: TrainTask,
  report: (progress: RoundProgress) => void,
  whenFree: () => Promise<void>,
): Promise<TrainResult> {
  const plan = roundPlanSchema.parse(task.plan);
  const card = cardSchema.parse(JSON.parse(await readFile(join(task.modelFolder, 'card.json'), 'utf8')));
  const recipe = parseRecipe(await readFile(join(task.modelFolder, 'recipe.json'), 'utf8'));
  const bytes = await readFile(join(task.modelFolder, card.weights.file));
  if (createHash('sha256').update(bytes).digest('hex') !== card.weights.sha256) {
    throw new AppError('model-invalid', `The weights of ${card.name}@${card.version} are not those of its card.`);
  }
  const engine = await openEngine();
  const pacs = createPacs({ ...setUp.pacs, meter: pacsMeter });
  const volumes = await openCacheFolder(setUp.volumeFolder, setUp.volumeQuotaBytes);
  const opened = await openRoundTeacher(plan.teacher, seesSlices(card) ? 2 : 3, setUp);
  const { outcome, weights, tableHash } = await runRound(
    plan,
    {
      readSeries: (series) => readSeriesFromPacs(pacs, series, { maxVoxels: setUp.maxVoxels }),
      blobs: await openBlobStore(setUp.blobFolder),
      colin: await loadColin27(setUp.sampleRoot),
      card,
      recipe,
      keptVolumes: keepVolumes(volumes, card.input, async (series) =>
        (await pacs.searchInstances(series)).map(({ sopInstanceUid }) => sopInstanceUid),
      ),
      teacher: opened.teacher,
      access: {
        maxVoxels: setUp.maxVoxels,
        // Credentials and profile are of the PACS of the settings alone.
        openPacs: async (url) => {
          const isOfSettings = new URL(url).origin === new URL(setUp.pacs.url).origin;
          const { credentials, tls, profile, ...common } = setUp.pacs;
          const own = isOfSettings ? { credentials, tls, profile } : { profile: chooseProfile(undefined, url).name };
          return createPacs({ ...common, url, ...own });
        },
      },
    },
    yieldingEngine(engine, whenFree),
    fromHalf(bytes),
    // A cancelled round ends by the end of this process.
    { folder: task.roundFolder, onProgress: report, signal: new AbortController().signal },
  ).finally(opened.close);
  const weightsPath = join(task.roundFolder, 'candidate.weights.f32');
  await writeDurably(weightsPath, [new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)]);
  return {
    ...{ outcome, tableHash, weightsPath, engine: engineName(engine) },
    ...{ embeddings: opened.embeddings, volumes: volumes.counts },
  };
}

interface RoundTeacher {
  readonly teacher: GeneralizedTeacher;
  readonly embeddings: TrainResult['embeddings'];
  readonly close: () => Promise<void>;
}

/** A round does without a teacher that cannot be opened or is of the other dimension, and says so. */
async function openRoundTeacher(name: string, dimension: 2 | 3, setUp: TrainSetUp): Promise<RoundTeacher> {
  const without = (why: string): RoundTeacher => ({
    teacher: abstainingTeacher(why),
    embeddings: { hits: 0, misses: 0 },
    close: async () => {},
  });
  if (name === 'none') return without('None is set.');
  try {
    const cache = await openEmbeddingFolder(setUp.embeddingFolder, setUp.embeddingQuotaBytes);
    const open = foreignGraphOpener({ threads: setUp.threads });
    const teacher = await openTeacher(name, { dimension, files: setUp.teacherFiles, open, cache });
    return { teacher, embeddings: cache.counts, close: () => teacher.dispose() };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'teacher-invalid') throw error;
    return without(error.message);
  }
}
