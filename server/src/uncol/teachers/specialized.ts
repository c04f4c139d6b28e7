import type { Engine, Predictor, Shape } from '../../engine/ops.ts';
import type { Student } from '../../student/architecture.ts';
import { product } from '../../student/layers.ts';
import { stack } from '../inputs.ts';

/**
 * The EMA copy of the student. It owns no weights: the training step writes them, they are handed in at each question.
 * It answers as at inference, without dropout.
 */
export class SpecializedTeacher {
  readonly #predictor: Predictor;
  readonly #pixels: number;
  readonly #batch: number;

  private constructor(predictor: Predictor, pixels: number, batch: number) {
    this.#predictor = predictor;
    this.#pixels = pixels;
    this.#batch = batch;
  }

  static async create(
    engine: Engine,
    student: Student,
    shape: { readonly batch: number; readonly space: Shape },
  ): Promise<SpecializedTeacher> {
    const predictor = await engine.predictor(student.inferenceProgram(shape.batch, shape.space));
    return new SpecializedTeacher(predictor, product(shape.space), shape.batch);
  }

  /**
   * p_S of every image.
   *
   * @param weights the EMA vector, by the table of the inference program.
   * @param slices [space...] float32, any number.
   * @returns [N,C,space...] float32.
   */
  async ask(weights: Float32Array, slices: readonly Float32Array[]): Promise<Float32Array> {
    const answers: Float32Array[] = [];
    for (let first = 0; first < slices.length; first += this.#batch) {
      const part = stack(slices.slice(first, first + this.#batch), this.#pixels);
      const { probabilities } = await this.#predictor.run(weights, { image: part });
      if (!probabilities) throw new RangeError('the inference program has no output "probabilities"');
      answers.push(probabilities);
    }
    const [first] = answers;
    if (first && answers.length === 1) return first;
    const all = new Float32Array(answers.reduce((sum, answer) => sum + answer.length, 0));
    let at = 0;
    for (const answer of answers) {
      all.set(answer, at);
      at += answer.length;
    }
    return all;
  }

  dispose(): Promise<void> {
    return this.#predictor.dispose();
  }
}
