/** Sizes of a tensor, outermost axis first. Every size is known when the text is built. */
export type Shape = readonly number[];

/** A value of the running reading: a node of a graph (onnx) or a live array (tfjs). float32 unless said otherwise. */
export interface Tensor {
  readonly shape: Shape;
}

/** `cpu` and `gpu` differ only in the operators used for the same formula. */
export type DeviceFamily = 'cpu' | 'gpu';

/**
 * The tensor vocabulary in which network, losses and training steps are written once.
 *
 * Axis letters: N batch, C channel, D H W space, T token, F feature. Two tensors of one binary operator follow numpy
 * broadcasting. Everything is differentiable except where noted. A shape that does not fit throws a `RangeError`
 * naming the operator and the shapes.
 */
export interface Ops {
  /** A fixed array, row-major. */
  constant(values: ArrayLike<number>, shape: Shape): Tensor;
  scalar(value: number): Tensor;

  add(a: Tensor, b: Tensor): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  /** Element-wise maximum; the gradient goes to the larger one (to `a` on ties). */
  maximum(a: Tensor, b: Tensor): Tensor;
  neg(x: Tensor): Tensor;
  exp(x: Tensor): Tensor;
  log(x: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  /** x * x. */
  square(x: Tensor): Tensor;
  sigmoid(x: Tensor): Tensor;
  relu(x: Tensor): Tensor;
  leakyRelu(x: Tensor, slope: number): Tensor;
  /** Exact (erf) form. */
  gelu(x: Tensor): Tensor;
  softmax(x: Tensor, axis: number): Tensor;
  logSoftmax(x: Tensor, axis: number): Tensor;

  sum(x: Tensor, axes?: readonly number[], keepDims?: boolean): Tensor;
  mean(x: Tensor, axes?: readonly number[], keepDims?: boolean): Tensor;

  /** 1 where a <= b, else 0. No gradient. */
  lessEqual(a: Tensor, b: Tensor): Tensor;
  /** 1 where a > b, else 0. No gradient. */
  greater(a: Tensor, b: Tensor): Tensor;
  /** 1 at the largest entry along `axis` (the first on ties), else 0; same shape. No gradient. */
  oneHotArgmax(x: Tensor, axis: number): Tensor;
  /** The value, with no gradient flowing back. */
  stopGradient(x: Tensor): Tensor;

  reshape(x: Tensor, shape: Shape): Tensor;
  transpose(x: Tensor, permutation: readonly number[]): Tensor;
  concat(xs: readonly Tensor[], axis: number): Tensor;
  slice(x: Tensor, axis: number, start: number, end: number): Tensor;
  /** Batched matrix product over the last two axes. */
  matmul(a: Tensor, b: Tensor): Tensor;

  /** Odd kernel, stride 1, zero "same" padding. x [N,I,space...], w [O,I,k...], bias [O]. 2D and 3D. */
  conv(x: Tensor, weight: Tensor, bias?: Tensor): Tensor;
  /** Kernel k, stride k, no padding (patch embedding; V-Net down). x [N,I,space...], w [O,I,k...], bias [O]. */
  convDown(x: Tensor, weight: Tensor, bias?: Tensor): Tensor;
  /** Transposed convolution, kernel 2, stride 2. x [N,I,space...], w [I,O,2...], bias [O]. */
  convUp(x: Tensor, weight: Tensor, bias?: Tensor): Tensor;
  /** Max pooling 2, stride 2 over all spatial axes. */
  maxPool2(x: Tensor): Tensor;
  /** Average pooling `factor`, stride `factor` over all spatial axes. */
  avgPool(x: Tensor, factor: number): Tensor;
  /** Bilinear x2 of [N,C,H,W], corners aligned. */
  upsample2(x: Tensor): Tensor;
  /** Mean 0, variance 1 over space for each N and C, epsilon 1e-5; scale and bias [C] when given. */
  instanceNorm(x: Tensor, scale?: Tensor, bias?: Tensor): Tensor;
  /** Mean 0, variance 1 over the last axis; scale and bias of its size; epsilon 1e-5 unless given. */
  layerNorm(x: Tensor, scale: Tensor, bias: Tensor, epsilon?: number): Tensor;
}

/** The element-wise part of the vocabulary. */
export type PointwiseOps = Pick<
  Ops,
  | 'constant'
  | 'scalar'
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'maximum'
  | 'neg'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'square'
  | 'sigmoid'
  | 'relu'
  | 'leakyRelu'
  | 'gelu'
  | 'lessEqual'
  | 'greater'
  | 'stopGradient'
>;

/** The part of it that reduces, reorders and cuts. */
export type ShapingOps = Pick<
  Ops,
  'reshape' | 'transpose' | 'concat' | 'slice' | 'sum' | 'mean' | 'softmax' | 'logSoftmax' | 'oneHotArgmax'
>;

/** How a parameter starts. */
export type Initial =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' }
  /** Uniform in +-bound. */
  | { readonly kind: 'uniform'; readonly bound: number };

/** Named parameters of a network, asked for while its text is read. Asking twice for a name returns the same tensor. */
export interface Parameters {
  get(name: string, shape: Shape, initial: Initial): Tensor;
}

/** Named inputs with the shapes a program is built for. */
export type InputShapes = Readonly<Record<string, Shape>>;
export type Tensors = Readonly<Record<string, Tensor>>;

/** A text without training: inputs and parameters to named outputs. */
export interface ForwardProgram {
  readonly inputs: InputShapes;
  build(ops: Ops, parameters: Parameters, inputs: Tensors): Tensors;
}

/** A text with a scalar loss; `terms` are the scalars shown in logs, `outputs` any further tensors wanted back. */
export interface LossProgram {
  readonly inputs: InputShapes;
  build(
    ops: Ops,
    parameters: Parameters,
    inputs: Tensors,
  ): { readonly loss: Tensor; readonly terms: Tensors; readonly outputs?: Tensors };
}

/** Where each parameter lies in the canonical flat float32 vector. */
export interface ParameterRow {
  readonly name: string;
  readonly shape: Shape;
  /** In elements. */
  readonly offset: number;
  readonly initial: Initial;
}
export interface ParameterTable {
  readonly rows: readonly ParameterRow[];
  /** Elements in all. */
  readonly size: number;
  /** sha256 of names, shapes and offsets, hex. */
  readonly hash: string;
}

/** Stochastic gradient descent with momentum, or AdamW (decoupled decay). */
export type Optimiser =
  | { readonly kind: 'sgd'; readonly momentum: number; readonly weightDecay: number }
  | {
      readonly kind: 'adamw';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
    };

/** Everything a training step changes; vectors of `table.size` float32. SGD keeps its momentum in `firstMoment`. */
export interface TrainingState {
  readonly step: number;
  readonly student: Float32Array;
  /** The specialized teacher: EMA of the student. */
  readonly ema: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
}

export type Arrays = Readonly<Record<string, Float32Array>>;

/** One compiled training step; state lives inside between steps. */
export interface Trainer {
  readonly table: ParameterTable;
  /** Forward, gradients, optimiser and EMA: one run. The EMA becomes `emaDecay * ema + (1 - emaDecay) * student`. */
  step(
    inputs: Arrays,
    rates: { readonly learningRate: number; readonly emaDecay: number },
  ): Promise<{ readonly loss: number; readonly terms: Readonly<Record<string, number>>; readonly outputs: Arrays }>;
  /** A copy. On a GPU it has to be fetched, so it is asked for seldom: to validate and to save. */
  state(): Promise<TrainingState>;
  /**
   * `program`, compiled to read the EMA where it lies, as it stands at each run, without a copy. No run of it while a step
   * or a load is under way, and none once the trainer is disposed of.
   *
   * @throws RangeError when the text asks for a parameter that is not trained.
   */
  follower(program: ForwardProgram): Promise<Follower>;
  /** Goes on from `state`. @throws RangeError when it is of another network. */
  load(state: TrainingState): Promise<void>;
  dispose(): Promise<void>;
}

/** One compiled forward text with weights of its own; fewer samples as with a {@link Predictor}. */
export interface Follower {
  run(inputs: Arrays): Promise<Arrays>;
  dispose(): Promise<void>;
}

/**
 * One compiled forward text. `weights` is the flat canonical vector; it may change between runs. Fewer samples than the
 * first axis of the inputs says may be given, the same number in each input: outputs then have that many, too.
 */
export interface Predictor {
  readonly table: ParameterTable;
  run(weights: Float32Array, inputs: Arrays): Promise<Arrays>;
  dispose(): Promise<void>;
}

/** A reading of the vocabulary on a device. */
export interface Engine {
  readonly reading: 'onnx' | 'tfjs';
  readonly device: string;
  /** Loss and gradient of the whole vector, for tests. */
  gradients(
    program: LossProgram,
    weights: Float32Array,
    inputs: Arrays,
  ): Promise<{ loss: number; gradient: Float32Array }>;
  trainer(program: LossProgram, optimiser: Optimiser, initial: TrainingState): Promise<Trainer>;
  /**
   * `frozen` compiles the weights in and may share the samples (the first axis of all that goes in and out) between
   * threads, which runs faster and costs a compilation whenever the weights change: for serving.
   */
  predictor(program: ForwardProgram, options?: { readonly frozen?: boolean }): Promise<Predictor>;
  /** Table of the parameters that a text asks for, in order of first request. */
  table(program: ForwardProgram | LossProgram): ParameterTable;
}
