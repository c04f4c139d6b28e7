import type { Arrays, Engine, Follower, Shape, Trainer } from '../../engine/ops.ts';
import type { Student } from '../../student/architecture.ts';
import { product } from '../../student/layers.ts';
import { stack } from '../inputs.ts';

/** Images that a teacher is compiled for. */
export interface TeacherShape {
  /** At a time. */
  readonly batch: number;
  readonly space: Shape;
}

/** The EMA copy of the student. It answers as at inference, without dropout. */
export class SpecializedTeacher {
  readonly #network: Follower;
  readonly #pixels: number;
  readonly #batch: number;

  private constructor(network: Follower, { batch, space }: TeacherShape) {
    this.#network = network;
    this.#pixels = product(space);
    this.#batch = batch;
  }

  /** The EMA of `trainer`, as it stands at each question. */
  static async following(trainer: Trainer, student: Student, shape: TeacherShape): Promise<SpecializedTeacher> {
    const network = await trainer.follower(student.inferenceProgram(shape.batch, shape.space));
    return new SpecializedTeacher(network, shape);
  }

  /** @param weights the EMA vector, by the table of the inference program. */
  static async of(
    engine: Engine,
    student: Student,
    shape: TeacherShape,
    weights: Float32Array,
  ): Promise<SpecializedTeacher> {
    const predictor = await engine.predictor(student.inferenceProgram(shape.batch, shape.space));
    const network = {
      run: (inputs: Arrays) => predictor.run(weights, inputs),
      dispose: () => predictor.dispose(),
    };
    return new SpecializedTeacher(network, shape);
  }

  /**
   * p_S of every image.
   *
   * @param slices [space...] float32, any number.
   * @returns [N,C,space...] float32.
   */
  async ask(slices: readonly Float32Array[]): Promise<Float32Array> {
    const answers: Float32Array[] = [];
    for (let first = 0; first < slices.length; first += this.#batch) {
      const part = stack(slices.slice(first, first + this.#batch), this.#pixels);
      const { probabilities } = await this.#network.run({ image: part });
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
    return this.#network.dispose();
  }
}
