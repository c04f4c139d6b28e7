import type { Engine, Predictor } from '../../engine/ops.ts';
import type { Student } from '../../student/architecture.ts';
import { stack } from '../inputs.ts';

/**
 * The EMA copy of the student. It owns no weights: the training step writes them, they are handed in at each question.
 * It answers as at inference, without dropout.
 */
export class SpecializedTeacher {
  readonly #predictor: Predictor;
  readonly #pixels: number;

  private constructor(predictor: Predictor, pixels: number) {
    this.#predictor = predictor;
    this.#pixels = pixels;
  }

  static async create(
    engine: Engine,
    student: Student,
    shape: { readonly batch: number; readonly height: number; readonly width: number },
  ): Promise<SpecializedTeacher> {
    const predictor = await engine.predictor(student.inferenceProgram(shape.batch, [shape.height, shape.width]));
    return new SpecializedTeacher(predictor, shape.height * shape.width);
  }

  /**
   * p_S of every slice.
   *
   * @param weights the EMA vector.
   * @param slices as many [H,W] float32 as the batch it was created for.
   * @returns [N,C,H,W] float32.
   */
  async ask(weights: Float32Array, slices: readonly Float32Array[]): Promise<Float32Array> {
    const { probabilities } = await this.#predictor.run(weights, { image: stack(slices, this.#pixels) });
    if (!probabilities) throw new RangeError('the inference program has no output "probabilities"');
    return probabilities;
  }

  dispose(): Promise<void> {
    return this.#predictor.dispose();
  }
}
