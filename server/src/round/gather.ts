import { orderLabels } from '../correction/store-seg.ts';
import { Random } from '../engine/random.ts';
import { AppError } from '../errors/app-error.ts';
import type { ErrorCode } from '../errors/table.ts';
import type { SliceCard } from '../registry/card.ts';
import type { Colin27 } from '../sample/colin27.ts';
import type { BlobStore } from '../store/blobs.ts';
import { holdsContent, labelSlices, prepareSlices } from '../student/prepare.ts';
import type { SourceSeries } from '../study/source-series.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import { isGenerated } from './data/sources.ts';
import { type DataAccess, Splits } from './data/splits.ts';
import { type PlannedCorrection, type RoundPlan, roundSettings } from './plan.ts';
import { type Recipe, seedsOf } from './recipe.ts';
import { evenly, hasForeground, prepareSubject, type Subject, shuffle } from './subjects.ts';

/** Reads one series of the PACS, checked and decoded. */
export type ReadSeries = (series: {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
}) => Promise<SourceSeries>;

export interface RoundSources {
  readonly readSeries: ReadSeries;
  readonly blobs: BlobStore;
  readonly colin: Colin27;
  readonly card: SliceCard;
  readonly recipe: Recipe;
  /** How data of the site that the first version was made of are reached; absent where only generated data are. */
  readonly access?: Omit<DataAccess, 'colin'>;
}

/** The slices of a round, on the network's grid. */
export interface RoundData {
  /** Vouched for by readers. */
  readonly corrected: readonly LabelledSlice[];
  /** Of these, the slices of corrections that no round has learnt from before. */
  readonly fresh: readonly LabelledSlice[];
  /** Of the training set the first version was made of. */
  readonly replay: readonly LabelledSlice[];
  readonly unlabelled: readonly Float32Array[];
  /** Subjects of the card that decide and never train. */
  readonly base: readonly Subject[];
  /** Series, corrected or not, that could not be used: how many, by error code. */
  readonly passedOver: Readonly<Record<string, number>>;
}

/** Which of a series' prepared slices are worth learning from, by index; given by the version in service. */
export type FindForeground = (images: readonly Float32Array[]) => Promise<readonly boolean[]>;

/** Slices on the network's grid without a label. */
interface OpenSeries {
  readonly seriesInstanceUid: string;
  readonly images: readonly Float32Array[];
}

/**
 * Collects all that a round learns from and is judged by. A function of plan, PACS and blobs.
 *
 * Slices of a corrected series that nobody vouched for count as unlabelled, beside those of the uncorrected series. A
 * series that was deleted or changed since it was corrected or drawn costs its slices, not the round.
 *
 * @throws AppError `round-no-corrections`: no corrected slice is left; and what the PACS client throws.
 */
export async function gatherRound(
  plan: RoundPlan,
  sources: RoundSources,
  findForeground: FindForeground,
  onPart: (part: string, share: number) => void,
): Promise<RoundData> {
  const corrected: LabelledSlice[] = [];
  const fresh: LabelledSlice[] = [];
  /** Slices of corrected series that nobody vouched for. */
  const open: OpenSeries[] = [];
  const passedOver: Record<string, number> = {};
  for (const [at, correction] of plan.corrections.entries()) {
    onPart('corrections', at / plan.corrections.length);
    const { labelled, images } = await correctedSlices(correction, sources, plan.seed).catch((error: unknown) => {
      if (!(error instanceof AppError) || !isOfCorrectedSeries(error.code)) throw error;
      passedOver[error.code] = (passedOver[error.code] ?? 0) + 1;
      return { labelled: [], images: [] };
    });
    corrected.push(...labelled);
    if (correction.isNew) fresh.push(...labelled);
    if (images.length > 0) open.push({ seriesInstanceUid: correction.seriesInstanceUid, images });
  }
  if (corrected.length === 0) {
    const codes = Object.keys(passedOver);
    const why = codes.length > 0 ? ` (${codes.join(', ')})` : '';
    throw new AppError('round-no-corrections', `No corrected slice can be read any more${why}.`, { passedOver: codes });
  }
  const unlabelled: Float32Array[] = [];
  const perSeries = Math.ceil(plan.unlabelledSlices / Math.max(1, open.length + plan.unlabelled.length));
  const draw = async (series: OpenSeries) => {
    const wanted = Math.min(perSeries, plan.unlabelledSlices - unlabelled.length);
    unlabelled.push(...(await drawUnlabelled(series, findForeground, wanted, plan.seed)));
  };
  for (const series of open) await draw(series);
  for (const [at, ref] of plan.unlabelled.entries()) {
    onPart('unlabelled', at / plan.unlabelled.length);
    const images = await readImages(ref, sources).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code === 'pacs-unreachable' || error.code === 'job-cancelled')
        throw error;
      passedOver[error.code] = (passedOver[error.code] ?? 0) + 1;
      return [];
    });
    await draw({ seriesInstanceUid: ref.seriesInstanceUid, images });
  }
  onPart('replay', 0);
  const replay = await replaySlices(plan, sources).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code === 'job-cancelled') throw error;
    passedOver[error.code] = (passedOver[error.code] ?? 0) + 1;
    return [];
  });
  return { corrected, fresh, replay, unlabelled, base: baseSubjects(sources), passedOver };
}

/** Faults of one corrected series or its labels, which would come again in every later round. */
function isOfCorrectedSeries(code: ErrorCode): boolean {
  return code.startsWith('series-') || ofCorrectedSeries.has(code);
}

const ofCorrectedSeries: ReadonlySet<ErrorCode> = new Set([
  'instance-unreadable',
  'transfer-syntax-unsupported',
  'image-too-large',
  'correction-geometry-mismatch',
  'not-found',
]);

async function correctedSlices(
  correction: PlannedCorrection,
  sources: RoundSources,
  seed: number,
): Promise<{ readonly labelled: readonly LabelledSlice[]; readonly images: readonly Float32Array[] }> {
  const series = await sources.readSeries(correction);
  const { geometry } = series.volume;
  const uids = series.instances.map((instance) => instance.sopInstanceUid);
  const envelope = await sources.blobs.get(correction.labelmapSha256);
  const data = orderLabels(envelope, uids, geometry.size[0] * geometry.size[1]);
  const approvedUids = new Set(correction.approvedSlices);
  const approved = new Set([...uids.keys()].filter((k) => approvedUids.has(uids[k] ?? '')));
  const prepared = prepareSlices(series.volume, sources.card.input);
  const rows = labelSlices({ data, geometry, segments: [] }, approved, prepared);
  const slices = rows
    .map((row, k) => ({
      image: prepared.images[k] ?? new Float32Array(row.label.length),
      label: row.label,
      known: row.known,
    }))
    .filter((slice) => isWorthLearning(slice, sources.card.input));
  const known = slices.filter((slice) => slice.known.includes(1));
  const images = slices.filter((slice) => !slice.known.includes(1)).map((slice) => slice.image);
  const random = Random.for(seed, 'correction', correction.correctionId);
  const filled = shuffle(known.filter(hasForeground), random);
  const empty = shuffle(
    known.filter((slice) => !hasForeground(slice)),
    random,
  );
  const most = roundSettings.slicesPerCorrection;
  const taken = filled.slice(0, Math.max(Math.ceil(most * roundSettings.foregroundShare), most - empty.length));
  return { labelled: [...taken, ...empty.slice(0, most - taken.length)], images };
}

async function readImages(
  ref: { readonly studyInstanceUid: string; readonly seriesInstanceUid: string },
  sources: RoundSources,
): Promise<readonly Float32Array[]> {
  const { input } = sources.card;
  const { images } = prepareSlices((await sources.readSeries(ref)).volume, input);
  return images.filter((image) => holdsContent(image, input.sizePx[0]));
}

async function drawUnlabelled(
  { seriesInstanceUid, images }: OpenSeries,
  findForeground: FindForeground,
  wanted: number,
  seed: number,
): Promise<readonly Float32Array[]> {
  const random = Random.for(seed, 'unlabelled', seriesInstanceUid);
  // Enough to choose from, and a bound on what a long series costs.
  const some = shuffle(images, random).slice(0, 4 * wanted);
  const isFound = await findForeground(some);
  const order = some.map((image, k) => ({ image, found: isFound[k] ?? false }));
  const found = order.filter((slice) => slice.found);
  const rest = order.filter((slice) => !slice.found && slice.image.some((value) => value > 0));
  const first = found.slice(0, Math.max(Math.ceil(wanted * roundSettings.foregroundShare), wanted - rest.length));
  return [...first, ...rest.slice(0, wanted - first.length)].map((slice) => slice.image);
}

/** Data of a site that cannot be reached any more cost the replay, not the round. */
async function replaySlices(plan: RoundPlan, sources: RoundSources): Promise<readonly LabelledSlice[]> {
  const random = Random.for(plan.seed, 'replay', plan.roundId);
  const subjects = await replaySubjects(sources, random);
  return subjects.flatMap((subject) => {
    const slices = subject.slices.filter((slice) => isWorthLearning(slice, sources.recipe.card.input));
    return spread(slices, roundSettings.replaySlicesPerSubject);
  });
}

async function replaySubjects(
  { colin, recipe, access }: RoundSources,
  random: Random,
): Promise<readonly Pick<Subject, 'slices'>[]> {
  const { labelled, card, task } = recipe;
  if (isGenerated(labelled)) {
    return shuffle(seedsOf(labelled.seeds), random)
      .slice(0, roundSettings.replaySubjects)
      .map((seed) => prepareSubject(colin, task, labelled.variation, seed, card.input));
  }
  const splits = await Splits.open(recipe, { ...access, colin }, ['labelled']);
  return splits.drawCases(roundSettings.replaySubjects, random).finally(() => splits.close());
}

/** Air is never shown to a network, so it need not be learnt. */
function isWorthLearning(slice: LabelledSlice, { sizePx }: SliceCard['input']): boolean {
  return hasForeground(slice) || holdsContent(slice.image, sizePx[0]);
}

function baseSubjects({ colin, card }: RoundSources): readonly Subject[] {
  const every = roundSettings.everyBaseSlice;
  return card.baseSet.seeds.map((seed) => {
    const { slices } = prepareSubject(colin, card.baseSet.task, 'sample', seed, card.input);
    return { seed, slices: slices.filter((_, k) => k % every === Math.floor(every / 2)) };
  });
}

/** `count` slices, spread evenly through the foreground and evenly through what lies around it. */
function spread(slices: readonly LabelledSlice[], count: number): readonly LabelledSlice[] {
  const filled = slices.filter(hasForeground);
  const empty = slices.filter((slice) => !hasForeground(slice));
  const some = evenly(filled, Math.ceil(count * roundSettings.foregroundShare));
  return [...some, ...evenly(empty, count - some.length)];
}
