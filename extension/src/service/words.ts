import type { Inference, Job, Model, Pool, Receipt, Round, Verdict } from '../api/contract.ts';

const stageWords: Readonly<Record<string, string>> = {
  queued: 'Waiting for a free worker',
  retrieve: 'Fetching the images',
  decode: 'Reading the images',
  resample: 'Preparing the volume',
  segment: 'Segmenting',
  decide: 'Drawing the outline',
  save: 'Saving the result',
  plan: 'Collecting the corrections',
  gather: 'Fetching the studies to learn from',
  train: 'Training',
  evaluate: 'Checking the new version',
  promote: 'Deciding',
};

/** A job's stage as the reader sees it. */
export function describeStage(stage: string): string {
  return stageWords[stage] ?? (stage === '' ? 'Starting' : stage.charAt(0).toUpperCase() + stage.slice(1));
}

/** Why a round that has begun waits, and that it goes on by itself. */
export function describeWait({ message, hint }: Pick<NonNullable<Job['error']>, 'message' | 'hint'>): string {
  return `${message} ${hint} The round goes on by itself from where it was.`;
}

/** Mean normalised entropy, 0 sure .. 1 unsure, as a word and what to make of it. */
export function describeUncertainty(uncertainty: number): { readonly word: string; readonly advice: string } {
  if (uncertainty < 0.15) return { word: 'low', advice: 'The model is sure about most of the outline.' };
  if (uncertainty < 0.35) return { word: 'moderate', advice: 'Look closely at the borders.' };
  return { word: 'high', advice: 'The model is unsure: check every slice before you accept.' };
}

/** What to make of segments that every fitting series shows and this mask lacks; nothing when there is none. */
export function describeMissing({
  segments,
  missingSegments,
}: Pick<Inference, 'segments' | 'missingSegments'>): string | null {
  const labels = segments.filter(({ number }) => missingSegments.includes(number)).map(({ label }) => label);
  if (labels.length === 0) return null;
  return `Not found: ${labels.join(', ')}. Every series that this model is made for shows it, so this one may be another kind of image. Do not rely on the mask.`;
}

/** What to make of a mask on an image of another kind; nothing where it is of the right one. */
export function describeStrange({ isStrange, model }: Pick<Inference, 'isStrange' | 'model'>): string | null {
  if (!isStrange) return null;
  return `This image looks unlike those that ${model.name} was made for. Do not rely on the mask.`;
}

/** A volume in millilitres with three significant figures at most. */
export function formatMl(ml: number): string {
  const digits = ml >= 100 ? 0 : ml >= 10 ? 1 : 2;
  return `${ml.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ml`;
}

/** A whole number with thousands separators. */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

/** A Dice value with three decimals; 1 only when it is exactly 1. */
export function formatDice(dice: number): string {
  return (dice < 1 ? Math.min(dice, 0.999) : 1).toFixed(3);
}

/** Seconds as a rough span, e.g. `about 2 min`. */
export function formatTimeLeft(seconds: number): string {
  if (seconds < 10) return 'a few seconds left';
  if (seconds < 90) return `about ${Math.round(seconds / 5) * 5} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

/** `1 slice`, `3 slices`. @param plural where it is not the noun with an s. */
export function countOf(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** What the reader should know of the way into the PACS; nothing once the SEG is there. */
export function describeStoring({ state, error }: Pick<Receipt, 'state' | 'error'>): readonly string[] {
  if (state === 'stored') return [];
  if (state === 'storing') return ['The PACS has not taken it yet; the server keeps trying by itself.'];
  const why = error === null ? [] : [`${error.message} ${error.hint}`];
  return [
    'It is not in the PACS, and the server has stopped trying.',
    ...why,
    'Tell the administrator: the next start of the server tries again. Nothing needs to be submitted twice.',
  ];
}

/** What a model is called among others: its title, with its name where another one has that title, too. */
export function nameModel(model: Model, offered: readonly Model[]): string {
  const isShared = offered.some(({ name, title }) => name !== model.name && title === model.title);
  return isShared ? `${model.title} (${model.name})` : model.title;
}

/** What a mask of a model will show. */
export function describeSegments({ segments }: Pick<Model, 'segments'>): string {
  const labels = segments.map(({ label }) => label);
  const last = labels.at(-1) ?? '';
  return labels.length < 2 ? `Draws: ${last}.` : `Draws: ${labels.slice(0, -1).join(', ')} and ${last}.`;
}

/**
 * What a verdict means for the reader's next mask, in one sentence.
 *
 * @param inService version that serves now, where it is known.
 */
export function describeVerdict(round: Round, { outcome }: Verdict, inService: number | null): string {
  const { fromVersion, toVersion, refusal } = round;
  const made = toVersion ?? fromVersion + 1;
  const serving = inService ?? (outcome === 'promoted' ? made : fromVersion);
  if (refusal !== null) {
    return `Version ${made} was refused by an administrator (${refusal.reason}). Version ${serving} is in service.`;
  }
  if (outcome === 'refused') return `The new version was refused. Version ${serving} stays in service.`;
  if (serving === made) return `Version ${made} is in service.`;
  if (outcome === 'promoted') return `Version ${made} passed, and version ${serving} was put in service after it.`;
  return `Version ${made} passed and waits for an administrator; until then the model stays as it is.`;
}

/** What a new version learned from; nothing where the version in service stays. */
export function describeLearning({ unlabelledSlices }: Round, { chosen }: Verdict): string | null {
  if (chosen.arm === null) return null;
  if (chosen.arm === 'uncol') return 'It learned from the corrections and from unchecked studies of the PACS.';
  const why = unlabelledSlices > 0 ? ': with unchecked studies beside them it was no better' : '';
  return `It learned from the corrections alone${why}.`;
}

/** When the model learns next, or what it waits for. @param now to tell today from another day. */
export function describePool({ untilRound, waits, pause }: Pool, now: Date): string {
  if (pause !== null) return `Learning is paused by an administrator: ${pause.reason}`;
  if (untilRound > 0) return `${countOf(untilRound, 'more correction')} until the next learning round.`;
  if (waits?.for === 'another-correction') return 'The next correction starts another learning round.';
  if (!waits || waits.until === null) return 'The next learning round is about to start.';
  const why = {
    gap: 'rounds keep their distance',
    day: 'enough rounds for one day',
    hours: 'rounds have their hours',
  }[waits.for as 'gap' | 'day' | 'hours'];
  return `There are corrections enough; the next learning round starts ${formatMoment(new Date(waits.until), now)} (${why}).`;
}

/** `at 20:00`, on another day `on 27 Nov at 06:00`. */
function formatMoment(moment: Date, now: Date): string {
  const time = moment.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  if (moment.toDateString() === now.toDateString()) return `at ${time}`;
  return `on ${moment.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })} at ${time}`;
}

/** What a submission teaches, in one sentence. */
export function describeTeaching({
  withdrawn,
  imported,
  heldOut,
  roundId,
  untilRound,
}: Pick<Receipt, 'withdrawn' | 'imported' | 'heldOut' | 'roundId' | 'untilRound'>): string {
  const object = imported === null ? 'Its SEG' : 'The object';
  if (withdrawn !== null) return `Taken back: no later round learns from it. ${object} stays in the PACS.`;
  if (heldOut) return 'This patient is one of those kept apart for checking the model: it will not be trained on.';
  if (roundId !== null) return 'A learning round starts with it.';
  return `${countOf(untilRound, 'more correction')} until the model learns from it.`;
}
