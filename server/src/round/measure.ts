import type { Engine, Predictor } from '../engine/ops.ts';
import { inferenceProgram, type StudentConfig } from '../student/architecture.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import { stack } from '../uncol/inputs.ts';

/** Runs a student over labelled slices and counts overlap. Weights change from call to call; the graph is built once. */
export class Measure {
  readonly #predictor: Predictor;
  readonly #batch: number;
  readonly #height: number;
  readonly #width: number;
  readonly #classes: number;

  private constructor(predictor: Predictor, batch: number, height: number, width: number, classes: number) {
    this.#predictor = predictor;
    this.#batch = batch;
    this.#height = height;
    this.#width = width;
    this.#classes = classes;
  }

  static async create(
    engine: Engine,
    config: StudentConfig,
    height: number,
    width: number,
    batch = 8,
  ): Promise<Measure> {
    const predictor = await engine.predictor(inferenceProgram(config, batch, height, width));
    return new Measure(predictor, batch, height, width, config.classes);
  }

  /**
   * Dice of the slices taken as one volume, mean over the foreground classes, on known pixels only. Both empty counts
   * 1, one empty counts 0.
   */
  async dice(weights: Float32Array, slices: readonly LabelledSlice[]): Promise<number> {
    const counts = Array.from({ length: this.#classes }, () => ({ both: 0, predicted: 0, truth: 0 }));
    for (let start = 0; start < slices.length; start += this.#batch) {
      const part = slices.slice(start, start + this.#batch);
      const probabilities = await this.#predict(
        weights,
        part.map(({ image }) => image),
      );
      for (const [n, slice] of part.entries()) this.#count(probabilities, n, slice, counts);
    }
    const scores = counts
      .slice(1)
      .map(({ both, predicted, truth }) => (predicted + truth === 0 ? 1 : (2 * both) / (predicted + truth)));
    return scores.reduce((sum, score) => sum + score, 0) / scores.length;
  }

  /** Which slices hold anything but background in the student's eyes. */
  async findForeground(weights: Float32Array, images: readonly Float32Array[]): Promise<readonly boolean[]> {
    const pixels = this.#height * this.#width;
    const found: boolean[] = [];
    for (let start = 0; start < images.length; start += this.#batch) {
      const part = images.slice(start, start + this.#batch);
      const probabilities = await this.#predict(weights, part);
      for (const n of part.keys()) {
        const background = n * this.#classes * pixels;
        found.push(probabilities.subarray(background, background + pixels).some((p) => p < 0.5));
      }
    }
    return found;
  }

  /** Hash of the parameter table that weights must follow. */
  get tableHash(): string {
    return this.#predictor.table.hash;
  }

  /** @returns [N,C,H,W]. */
  async #predict(weights: Float32Array, images: readonly Float32Array[]): Promise<Float32Array> {
    const { probabilities } = await this.#predictor.run(weights, { image: stack(images, this.#height * this.#width) });
    if (!probabilities) throw new RangeError('the student gave no probabilities');
    return probabilities;
  }

  #count(
    probabilities: Float32Array,
    n: number,
    slice: LabelledSlice,
    counts: { both: number; predicted: number; truth: number }[],
  ): void {
    const pixels = this.#height * this.#width;
    const offset = n * this.#classes * pixels;
    for (let i = 0; i < pixels; i++) {
      if (slice.known[i] === 0) continue;
      let best = 0;
      for (let c = 1; c < this.#classes; c++) {
        if ((probabilities[offset + c * pixels + i] ?? 0) > (probabilities[offset + best * pixels + i] ?? 0)) best = c;
      }
      const truth = slice.label[i] ?? 0;
      const predicted = counts[best];
      const wanted = counts[truth];
      if (!predicted || !wanted) continue;
      predicted.predicted += 1;
      wanted.truth += 1;
      if (best === truth) predicted.both += 1;
    }
  }

  dispose(): Promise<void> {
    return this.#predictor.dispose();
  }
}
