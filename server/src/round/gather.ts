import { orderLabels } from '../correction/store-seg.ts';
import { Random } from '../engine/random.ts';
import { AppError } from '../errors/app-error.ts';
import type { ErrorCode } from '../errors/table.ts';
import { unpackEnvelope } from '../labelmap/envelope.ts';
import type { Card } from '../registry/card.ts';
import type { Colin27 } from '../sample/colin27.ts';
import type { BlobStore } from '../store/blobs.ts';
import { prepareInput } from '../student/input.ts';
import { type SourceSeries, sliceId } from '../study/source-series.ts';
import { type VolumeAddress, volumeKey } from '../study/volume-address.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import type { ComparedCase } from './compare.ts';
import { isGenerated } from './data/sources.ts';
import { type DataAccess, Splits } from './data/splits.ts';
import { shuffle } from './draw.ts';
import type { Drawn, Feed, Find } from './feed.ts';
import type { KeptVolumes } from './kept-volumes.ts';
import { type LabelledVolume, labelVolume } from './labelled-volume.ts';
import { type PlannedCorrection, type RoundPlan, roundSettings } from './plan.ts';
import { type Recipe, seedsOf } from './recipe.ts';
import { prepareSubject } from './subjects.ts';

/** Reads one volume of the PACS, checked and decoded. */
export type ReadSeries = (series: VolumeAddress) => Promise<SourceSeries>;

export interface RoundSources {
  readonly readSeries: ReadSeries;
  readonly blobs: BlobStore;
  readonly colin: Colin27;
  readonly card: Card;
  readonly recipe: Recipe;
  /** Volumes of uncorrected series that earlier rounds have read; absent: each is read anew. */
  readonly keptVolumes?: KeptVolumes;
  /** How data of the site that the first version was made of are reached; absent where only generated data are. */
  readonly access?: Omit<DataAccess, 'colin'>;
}

/** What a round learns from, slices or windows, and what it is judged by; on the network's grid. */
export interface RoundData {
  /** Vouched for by readers, correction by correction. */
  readonly corrected: readonly Corrected[];
  /** Of the training set the first version was made of. */
  readonly replay: readonly LabelledSlice[];
  readonly unlabelled: readonly Float32Array[];
  /** Subjects that the candidates are chosen by. */
  readonly choice: readonly LabelledVolume[];
  /** Subjects of the card and held-out patients: they decide and never train. */
  readonly judges: readonly Judge[];
  /** Series, corrected or not, that could not be used: how many, by error code. */
  readonly passedOver: Readonly<Record<string, number>>;
}

/** What a correction teaches. */
export interface Corrected extends Drawn {
  /** No round has learnt from it before. */
  readonly isNew: boolean;
}

/** One of whom the gate is told. */
export interface Judge extends Pick<ComparedCase, 'subject' | 'set'> {
  /** Made when it is asked for: there may be a hundred of them, too many to hold at once. */
  readonly judged: () => LabelledVolume;
}

/** A series with anything that nobody vouched for. */
interface OpenSeries {
  /** See `volumeKey`. */
  readonly key: string;
  readonly volume: LabelledVolume;
}

/**
 * Collects all that a round learns from and is judged by. A function of plan, PACS and blobs.
 *
 * What nobody vouched for in a corrected series counts as unlabelled, beside the uncorrected series. A series that was
 * deleted or changed since it was corrected or drawn costs what it would have taught, not the round.
 *
 * @param find by the version in service, to find what is worth learning from where nobody has labelled.
 * @throws AppError `round-no-corrections`: no corrected slice is left; and what the PACS client throws.
 */
export async function gatherRound(
  plan: RoundPlan,
  sources: RoundSources,
  feed: Feed,
  find: Find,
  onPart: (part: string, share: number) => void,
): Promise<RoundData> {
  const corrected: Corrected[] = [];
  const mayBeOpen = drawOpenCorrections(plan);
  const open: OpenSeries[] = [];
  const passedOver: Record<string, number> = {};
  const passOver = (error: unknown) => {
    if (!(error instanceof AppError) || !isOfCorrectedSeries(error.code)) throw error;
    passedOver[error.code] = (passedOver[error.code] ?? 0) + 1;
    return undefined;
  };
  for (const [at, correction] of plan.corrections.entries()) {
    onPart('corrections', at / plan.corrections.length);
    const volume = await readCorrected(correction, sources).catch(passOver);
    if (!volume) continue;
    const random = Random.for(plan.seed, 'correction', volumeKey(correction));
    const drawn = feed.drawCorrected(volume, plan.corrections.length, random);
    corrected.push({ ...drawn, isNew: correction.isNew });
    if (mayBeOpen.has(at) && feed.isOpen(volume)) open.push({ key: volumeKey(correction), volume });
  }
  if (!corrected.some(({ pieces }) => pieces.length > 0)) {
    const codes = Object.keys(passedOver);
    const why = codes.length > 0 ? ` (${codes.join(', ')})` : '';
    throw new AppError('round-no-corrections', `No corrected slice can be read any more${why}.`, { passedOver: codes });
  }
  const unlabelled: Float32Array[] = [];
  const perSeries = Math.ceil(plan.unlabelledSlices / Math.max(1, open.length + plan.unlabelled.length));
  const draw = async ({ key, volume }: OpenSeries) => {
    const wanted = Math.min(perSeries, plan.unlabelledSlices - unlabelled.length);
    const random = Random.for(plan.seed, 'unlabelled', key);
    unlabelled.push(...(await feed.drawOpen(volume, find, wanted, random)));
  };
  for (const series of open) await draw(series);
  for (const [at, ref] of plan.unlabelled.entries()) {
    onPart('unlabelled', at / plan.unlabelled.length);
    const volume = await readOpen(ref, sources).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code === 'pacs-unreachable' || error.code === 'job-cancelled')
        throw error;
      passedOver[error.code] = (passedOver[error.code] ?? 0) + 1;
      return undefined;
    });
    if (volume) await draw({ key: volumeKey(ref), volume });
  }
  onPart('replay', 0);
  const replay = await drawReplay(plan, sources, feed).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code === 'job-cancelled') throw error;
    passedOver[error.code] = (passedOver[error.code] ?? 0) + 1;
    return [];
  });
  const judges = baseSubjects(sources, feed);
  for (const [at, correction] of plan.heldOut.entries()) {
    onPart('held-out', at / plan.heldOut.length);
    const volume = await readCorrected(correction, sources).catch(passOver);
    const judged = volume && feed.judgedWhole(volume);
    // Where nothing is known, every mask would be right.
    if (judged?.known.includes(1))
      judges.push({ subject: `held-out-${at + 1}`, set: 'held-out', judged: () => judged });
  }
  return { corrected, replay, unlabelled, choice: choiceSubjects(plan, sources, feed), judges, passedOver };
}

/** Places of those corrections whose unapproved part counts as unlabelled: each is held in memory until all are read. */
function drawOpenCorrections({ corrections, seed }: RoundPlan): ReadonlySet<number> {
  return new Set(shuffle([...corrections.keys()], Random.for(seed, 'open')).slice(0, roundSettings.openCorrections));
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

/** A corrected series with the reader's word, which holds for the approved slices. */
async function readCorrected(
  correction: PlannedCorrection,
  { readSeries, blobs, card }: RoundSources,
): Promise<LabelledVolume> {
  const series = await readSeries(correction);
  const { geometry } = series.volume;
  const ids = series.instances.map(sliceId);
  const envelope = await blobs.get(correction.labelmapSha256);
  const data = orderLabels(await unpackEnvelope(envelope), ids, geometry.size[0] * geometry.size[1]);
  const vouched = new Set(correction.approvedSlices);
  const approved = new Set([...ids.keys()].filter((k) => vouched.has(ids[k] ?? '')));
  return labelVolume(series.volume, { data, geometry, segments: [] }, card.input, approved);
}

/** A series that nobody has corrected. */
async function readOpen(ref: VolumeAddress, { readSeries, card, keptVolumes }: RoundSources): Promise<LabelledVolume> {
  const read = async () => prepareInput((await readSeries(ref)).volume, card.input);
  const { grid, image } = await (keptVolumes?.get(ref, read) ?? read());
  return { grid, image, label: new Uint8Array(image.length), known: new Uint8Array(image.length) };
}

/** Data of a site that cannot be reached any more cost the replay, not the round. */
async function drawReplay(plan: RoundPlan, sources: RoundSources, feed: Feed): Promise<readonly LabelledSlice[]> {
  const random = Random.for(plan.seed, 'replay');
  const subjects = await replaySubjects(sources, random);
  return subjects.flatMap((subject) => feed.drawReplay(subject, random));
}

async function replaySubjects(
  { colin, recipe, access }: RoundSources,
  random: Random,
): Promise<readonly LabelledVolume[]> {
  const { labelled, card, task } = recipe;
  if (isGenerated(labelled)) {
    return shuffle(seedsOf(labelled.seeds), random)
      .slice(0, roundSettings.replaySubjects)
      .map((seed) => prepareSubject(colin, task, labelled.variation, seed, card.input));
  }
  const splits = await Splits.open(recipe, { ...access, colin }, ['labelled']);
  const drawn = await splits.drawCases(roundSettings.replaySubjects, random).finally(() => splits.close());
  return drawn.map(({ volume }) => volume);
}

function choiceSubjects(plan: RoundPlan, sources: RoundSources, feed: Feed): RoundData['choice'] {
  const { seeds, subjects } = roundSettings.choice;
  const random = Random.for(plan.seed, 'choice');
  const drawn = Array.from({ length: subjects }, () => seeds.from + random.int(seeds.to - seeds.from + 1));
  return drawn.map((seed) => generate(seed, sources, feed));
}

function baseSubjects(sources: RoundSources, feed: Feed): Judge[] {
  return sources.card.baseSet.seeds.map((seed) => ({
    subject: `base-${seed}`,
    set: 'base',
    judged: () => generate(seed, sources, feed),
  }));
}

/** A subject like those of the card's base set. */
function generate(seed: number, { colin, card }: RoundSources, feed: Feed): LabelledVolume {
  return feed.judgedWhole(prepareSubject(colin, card.baseSet.task, 'sample', seed, card.input));
}
