import type {
  DeviceFamily,
  ForwardProgram,
  InputShapes,
  LossProgram,
  Optimiser,
  Parameters,
  ParameterTable,
} from '../ops.ts';
import { knownParameters, ParameterCollector } from '../parameter-table.ts';
import { rateCount } from '../rates.ts';
import { encodeModel } from './encode.ts';
import { reshaped, type Writing } from './gradients.ts';
import { asValue, sizeOf, type Value } from './graph.ts';
import { writeUpdate } from './optimiser.ts';
import { sliced } from './shaping.ts';
import { graphOps, startWriting } from './vocabulary.ts';

/** A program as the bytes of an ONNX file, and the shapes of what goes in and out. */
export interface BuiltProgram {
  readonly bytes: Uint8Array;
  readonly table: ParameterTable;
  readonly inputs: InputShapes;
  readonly outputs: InputShapes;
}

/** A training program: besides `outputs`, the vector `report` holds the loss and then the terms in this order. */
export interface BuiltTraining extends BuiltProgram {
  readonly terms: readonly string[];
}

/** Name of the flat weight vector among the inputs. */
export const weightsInput = 'student';

/** Parameters that a text asks for, in order of first request. */
export function collectTable(program: ForwardProgram | LossProgram): ParameterTable {
  const writing = startWriting(false, 'cpu');
  const collector = new ParameterCollector((row) => writing.graph.input(row.name, row.shape));
  program.build(graphOps(writing), collector, programInputs(writing, program.inputs));
  return collector.table();
}

/**
 * The inference graph. With `frozen` weights they become constants, so that the runtime can lay convolution kernels
 * out for the machine; without, they are the input {@link weightsInput}.
 *
 * @param table of the weights, when they hold more than the text asks for.
 */
export function buildForward(
  program: ForwardProgram,
  family: DeviceFamily,
  frozen?: Float32Array,
  table: ParameterTable = collectTable(program),
): BuiltProgram {
  const writing = startWriting(false, family);
  const parameters =
    frozen === undefined ? flatParameters(writing, table).parameters : frozenParameters(writing, table, frozen);
  const outputs = program.build(graphOps(writing), parameters, programInputs(writing, program.inputs));
  const content = writing.graph.content('forward', mapValues(outputs, asValue));
  return {
    bytes: encodeModel(content, 'UnCoL forward graph'),
    table,
    inputs: program.inputs,
    outputs: mapValues(outputs, (output) => output.shape),
  };
}

/** Loss, terms and the flat gradient (output `gradient`), without an update. */
export function buildGradients(program: LossProgram, family: DeviceFamily): BuiltTraining {
  const { writing, table, report, gradient, terms, outputs } = writeLoss(program, family);
  return finish(writing, 'gradients', table, program, terms, { report, gradient }, outputs);
}

/**
 * One whole training step: forward, gradients, optimiser and EMA. The state is inputs `student`, `ema`, `firstMoment`,
 * `secondMoment` and outputs of the same names with `Next` behind; `rates` as optimiser.ts orders them.
 */
export function buildStep(program: LossProgram, family: DeviceFamily, optimiser: Optimiser): BuiltTraining {
  const { writing, table, report, gradient, terms, outputs, student } = writeLoss(program, family);
  const vector = (name: string): Value => writing.graph.input(name, [table.size]);
  const updated = writeUpdate(writing.graph, optimiser, {
    student,
    ema: vector('ema'),
    firstMoment: vector('firstMoment'),
    secondMoment: vector('secondMoment'),
    gradient,
    rates: writing.graph.input('rates', [rateCount]),
  });
  const state = Object.fromEntries(Object.entries(updated).map(([name, value]) => [`${name}Next`, value]));
  return finish(writing, 'step', table, program, terms, { report, ...state }, outputs);
}

function writeLoss(program: LossProgram, family: DeviceFamily) {
  const table = collectTable(program);
  const writing = startWriting(true, family);
  const { graph, tape } = writing;
  const { parameters, student, tensors } = flatParameters(writing, table);
  for (const tensor of tensors) tape.want(tensor);
  const {
    loss,
    terms,
    outputs = {},
  } = program.build(graphOps(writing), parameters, programInputs(writing, program.inputs));
  const gradients = tape.gradients(writing, asValue(loss), tensors);
  const flat = gradients.map((gradient) => reshaped(graph, gradient, [sizeOf(gradient.shape)]));
  const gradient = flat.length === 1 ? flat[0]! : graph.emit('Concat', flat, [table.size], { axis: { i: 0 } });
  const scalars = [loss, ...Object.values(terms)].map((scalar) => reshaped(graph, asValue(scalar), [1]));
  const report = graph.emit('Concat', scalars, [scalars.length], { axis: { i: 0 } });
  return { writing, table, report, gradient, terms: Object.keys(terms), outputs: mapValues(outputs, asValue), student };
}

function finish(
  writing: Writing,
  name: string,
  table: ParameterTable,
  program: LossProgram,
  terms: readonly string[],
  own: Readonly<Record<string, Value>>,
  asked: Readonly<Record<string, Value>>,
): BuiltTraining {
  for (const key of Object.keys(asked)) if (key in own) throw new RangeError(`output ${key}: the name is taken`);
  const outputs = { ...own, ...asked };
  const content = writing.graph.content(name, outputs);
  return {
    bytes: encodeModel(content, `UnCoL ${name} graph`),
    table,
    inputs: program.inputs,
    outputs: mapValues(outputs, (output) => output.shape),
    terms,
  };
}

function programInputs(writing: Writing, shapes: InputShapes): Record<string, Value> {
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, writing.graph.input(name, shape)]));
}

/** Parameters cut from one flat input vector. */
function flatParameters(writing: Writing, table: ParameterTable) {
  const { graph } = writing;
  const student = graph.input(weightsInput, [table.size]);
  const pieces = writing.forms.pieces === 'split' ? splitPieces(writing, student, table) : slicedPieces();
  const tensors = table.rows.map((row, index) => reshaped(graph, pieces[index]!, row.shape));
  return { student, tensors, parameters: knownParameters(table, tensors) };

  function slicedPieces(): Value[] {
    return table.rows.map(({ offset, shape }) => sliced(graph, student, 0, offset, offset + sizeOf(shape)));
  }
}

function splitPieces({ graph }: Writing, vector: Value, table: ParameterTable): Value[] {
  const sizes = table.rows.map((row) => sizeOf(row.shape));
  const outputs = sizes.map((size) => ({ shape: [size] }));
  return graph.emitMany('Split', [vector, graph.integers(sizes)], outputs, { axis: { i: 0 } });
}

function frozenParameters(writing: Writing, table: ParameterTable, weights: Float32Array): Parameters {
  const tensors = table.rows.map((row) =>
    writing.graph.constant(weights.subarray(row.offset, row.offset + sizeOf(row.shape)), row.shape),
  );
  return knownParameters(table, tensors);
}

function mapValues<From, To>(record: Readonly<Record<string, From>>, map: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
