import type { Engine, Predictor } from '../engine/ops.ts';
import { applySegmentRules, decideLabels, type SegmentRule } from '../labelmap/decide.ts';
import { diceOf, hausdorff95Mm, type Overlap } from '../labelmap/metrics.ts';
import { type Architecture, studentOf } from '../student/architecture.ts';
import { askStudent, type StudentInput, sampleSpace, samplesPerRun } from '../student/input.ts';
import type { Prediction } from '../student/predict.ts';
import type { PreparedVolume } from '../student/prepare-volume.ts';
import type { CaseScores } from './compare.ts';
import type { LabelledVolume } from './labelled-volume.ts';
import { meanOf } from './statistics.ts';

/** What measuring needs of a model card. */
export interface MeasuredCard {
  readonly input: StudentInput;
  readonly architecture: Architecture;
  readonly segments: readonly SegmentRule[];
}

/** The mask that a viewer would get of a volume, and what it shares with the truth. */
export interface ServedMask {
  /** Segment numbers, `[slice, row, column]` uint8. */
  readonly labels: Uint8Array;
  /** Of each segment on known voxels (a: the mask, b: the truth), segment 1 first. */
  readonly overlaps: readonly Overlap[];
}

/**
 * Shows labelled volumes to the student of a card, slice by slice or by sliding windows as they are served, and counts
 * overlap on the card's grid. Weights change from call to call; the graph is built once.
 */
export class Measure {
  readonly #predictor: Predictor;
  readonly #card: MeasuredCard;

  private constructor(predictor: Predictor, card: MeasuredCard) {
    this.#predictor = predictor;
    this.#card = card;
  }

  /** @param student by default that of the card. */
  static async create(engine: Engine, card: MeasuredCard, student = studentOf(card.architecture)): Promise<Measure> {
    const space = sampleSpace(card.input);
    const program = student.inferenceProgram(samplesPerRun(space), space);
    return new Measure(await engine.predictor(program), card);
  }

  /**
   * Dice of the network's own answer, the volumes taken as one: mean over the foreground classes, on known voxels only.
   * Both empty counts 1, one empty counts 0.
   */
  async dice(weights: Float32Array, ...volumes: readonly LabelledVolume[]): Promise<number> {
    return meanOf(await this.diceByClass(weights, ...volumes));
  }

  /** The same of each foreground class, class 1 first. */
  async diceByClass(weights: Float32Array, ...volumes: readonly LabelledVolume[]): Promise<readonly number[]> {
    const counts = this.#noCounts();
    for (const volume of volumes) count(counts, await this.find(weights, volume), volume);
    return counts.slice(1).map(diceOf);
  }

  /** The same of the mask that a viewer would get: by the card's rules (largest component, least volume). */
  async servedDice(weights: Float32Array, volume: LabelledVolume): Promise<number> {
    return meanOf((await this.serve(weights, volume)).overlaps.map(diceOf));
  }

  /** That mask itself; how the gate judges it tells {@link scoresOf}. */
  async serve(weights: Float32Array, volume: LabelledVolume): Promise<ServedMask> {
    const labels = await this.find(weights, volume);
    applySegmentRules(labels, volume.grid, this.#card.segments);
    const counts = this.#noCounts();
    count(counts, labels, volume);
    return { labels, overlaps: counts.slice(1) };
  }

  /** What the student finds. @returns class indices, `[slice, row, column]`. */
  async find(weights: Float32Array, volume: PreparedVolume): Promise<Uint8Array> {
    const { input, architecture } = this.#card;
    const predict = (images: Float32Array) => this.#predict(weights, images);
    const batch = samplesPerRun(sampleSpace(input));
    const { foreground } = await askStudent(volume, input, architecture.classes - 1, predict, { batch });
    const labels = new Uint8Array(volume.image.length);
    decideLabels(foreground, labels);
    return labels;
  }

  /** Hash of the parameter table that weights must follow. */
  get tableHash(): string {
    return this.#predictor.table.hash;
  }

  /** Weights that left the numbers find nothing; that they did is told by who trains them. */
  async #predict(weights: Float32Array, image: Float32Array): Promise<Prediction> {
    const { probabilities, entropy } = await this.#predictor.run(weights, { image });
    if (!probabilities || !entropy) throw new RangeError('the student gave no probabilities');
    const numbers = (values: Float32Array) => values.map((value) => (Number.isFinite(value) ? value : 0));
    return { probabilities: numbers(probabilities), entropy: numbers(entropy) };
  }

  #noCounts(): Counts {
    return Array.from({ length: this.#card.architecture.classes }, () => ({ a: 0, b: 0, both: 0 }));
  }

  dispose(): Promise<void> {
    return this.#predictor.dispose();
  }
}

/** How the gate judges a mask, on known voxels. */
export function scoresOf({ labels, overlaps }: ServedMask, volume: LabelledVolume): CaseScores {
  const known = (of: Uint8Array) => of.map((label, n) => (volume.known[n] === 1 ? label : 0));
  const mask = { data: known(labels), geometry: volume.grid, segments: [] };
  const truth = { data: known(volume.label), geometry: volume.grid, segments: [] };
  const diceBySegment = overlaps.map(diceOf);
  return {
    dice: meanOf(diceBySegment),
    diceBySegment,
    missed: overlaps.filter(({ a, b }) => a === 0 && b > 0).length,
    hausdorff95MmBySegment: overlaps.map((_, n) => hausdorff95Mm(mask, truth, n + 1)),
  };
}

/** Of each class: voxels found, wanted, and both. */
type Counts = readonly { a: number; b: number; both: number }[];

function count(counts: Counts, labels: Uint8Array, { label, known }: LabelledVolume): void {
  for (let n = 0; n < labels.length; n++) {
    if (known[n] === 0) continue;
    const [found, wanted] = [labels[n]!, label[n]!];
    const [ofFound, ofWanted] = [counts[found], counts[wanted]];
    if (!ofFound || !ofWanted) continue;
    ofFound.a += 1;
    ofWanted.b += 1;
    if (found === wanted) ofFound.both += 1;
  }
}
