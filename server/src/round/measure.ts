import type { Engine, Predictor } from '../engine/ops.ts';
import { applySegmentRules, decideLabels } from '../labelmap/decide.ts';
import type { SliceCard } from '../registry/card.ts';
import { studentOf } from '../student/architecture.ts';
import { holdsContent } from '../student/prepare.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import { stack } from '../uncol/inputs.ts';
import type { Geometry } from '../volume/geometry.ts';

const batch = 8;

/** What measuring needs of a model card. */
export type MeasuredCard = Pick<SliceCard, 'input' | 'architecture' | 'segments'>;

/** Runs the student of a card over labelled slices and counts overlap. Weights change from call to call; the graph is built once. */
export class Measure {
  readonly #predictor: Predictor;
  readonly #card: MeasuredCard;

  private constructor(predictor: Predictor, card: MeasuredCard) {
    this.#predictor = predictor;
    this.#card = card;
  }

  /** @param student by default that of the card. */
  static async create(engine: Engine, card: MeasuredCard, student = studentOf(card.architecture)): Promise<Measure> {
    const [width, height] = card.input.sizePx;
    const program = student.inferenceProgram(batch, [height, width]);
    return new Measure(await engine.predictor(program), card);
  }

  /**
   * Dice of the network's own answer, the slices taken as one volume: mean over the foreground classes, on known pixels
   * only. Both empty counts 1, one empty counts 0.
   */
  async dice(weights: Float32Array, slices: readonly LabelledSlice[]): Promise<number> {
    return meanOf(await this.diceByClass(weights, slices));
  }

  /** The same of each foreground class, class 1 first. */
  async diceByClass(weights: Float32Array, slices: readonly LabelledSlice[]): Promise<readonly number[]> {
    return this.#overlap(await this.#decide(weights, slices), slices);
  }

  /**
   * The same of the mask that a viewer would get: by the card's rules (largest component, least volume).
   *
   * @param slices of one subject, in order along the card's plane.
   * @param every how many of the card's slices lie between two of these and the next.
   */
  async servedDice(weights: Float32Array, slices: readonly LabelledSlice[], every = 1): Promise<number> {
    const labels = await this.#decide(weights, slices);
    const { spacingMm, sizePx } = this.#card.input;
    const geometry: Geometry = {
      size: [...sizePx, slices.length],
      spacingMm: [spacingMm[0], spacingMm[1], every * spacingMm[2]],
      origin: [0, 0, 0],
      direction: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    };
    applySegmentRules(labels, geometry, this.#card.segments);
    return meanOf(this.#overlap(labels, slices));
  }

  /** Which slices hold anything but background in the student's eyes. */
  async findForeground(weights: Float32Array, images: readonly Float32Array[]): Promise<readonly boolean[]> {
    const found = images.map(() => false);
    await this.#eachSlice(weights, images, (foreground, n) => {
      const labels = new Uint8Array(this.#pixels);
      decideLabels(foreground, labels);
      found[n] = labels.some((label) => label > 0);
    });
    return found;
  }

  /** Hash of the parameter table that weights must follow. */
  get tableHash(): string {
    return this.#predictor.table.hash;
  }

  get #pixels(): number {
    return this.#card.input.sizePx[0] * this.#card.input.sizePx[1];
  }

  /** @returns class indices, [N,H,W]. */
  async #decide(weights: Float32Array, slices: readonly LabelledSlice[]): Promise<Uint8Array> {
    const labels = new Uint8Array(slices.length * this.#pixels);
    const images = slices.map(({ image }) => image);
    await this.#eachSlice(weights, images, (foreground, n) => decideLabels(foreground, labels, n * this.#pixels));
    return labels;
  }

  /** @param see gets the probabilities of every foreground class on slice `n`; air is left out, as it is when serving. */
  async #eachSlice(
    weights: Float32Array,
    images: readonly Float32Array[],
    see: (foreground: readonly Float32Array[], n: number) => void,
  ): Promise<void> {
    const { classes } = this.#card.architecture;
    const shown = [...images.entries()].filter(([, image]) => holdsContent(image, this.#card.input.sizePx[0]));
    for (let start = 0; start < shown.length; start += batch) {
      const part = shown.slice(start, start + batch);
      const inputs = stack(
        part.map(([, image]) => image),
        this.#pixels,
      );
      const { probabilities } = await this.#predictor.run(weights, { image: inputs });
      if (!probabilities) throw new RangeError('the student gave no probabilities');
      for (const [at, [n]] of part.entries()) {
        const map = (c: number) => {
          const from = (at * classes + c) * this.#pixels;
          return probabilities.subarray(from, from + this.#pixels);
        };
        see(
          Array.from({ length: classes - 1 }, (_, c) => map(c + 1)),
          n,
        );
      }
    }
  }

  #overlap(labels: Uint8Array, slices: readonly LabelledSlice[]): readonly number[] {
    const { classes } = this.#card.architecture;
    const counts = Array.from({ length: classes }, () => ({ both: 0, sum: 0 }));
    for (const [n, { label, known }] of slices.entries()) {
      for (let i = 0; i < this.#pixels; i++) {
        if (known[i] === 0) continue;
        const found = labels[n * this.#pixels + i] ?? 0;
        const wanted = label[i] ?? 0;
        const [ofFound, ofWanted] = [counts[found], counts[wanted]];
        if (!ofFound || !ofWanted) continue;
        ofFound.sum += 1;
        ofWanted.sum += 1;
        if (found === wanted) ofFound.both += 1;
      }
    }
    return counts.slice(1).map(({ both, sum }) => (sum === 0 ? 1 : (2 * both) / sum));
  }

  dispose(): Promise<void> {
    return this.#predictor.dispose();
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
