import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import onnxProto from 'onnx-proto';
import { encodeModel, irVersion, opsetVersion } from '../../../server/src/engine/onnx/encode.ts';
import { Graph } from '../../../server/src/engine/onnx/graph.ts';
import { buildForward, buildStep } from '../../../server/src/engine/onnx/programs.ts';
import { bind, Session } from '../../../server/src/engine/onnx/session.ts';
import { graphOps, startWriting } from '../../../server/src/engine/onnx/vocabulary.ts';
import type { ForwardProgram, LossProgram, Ops, Tensor } from '../../../server/src/engine/ops.ts';
import { operatorProgram } from './finite-differences.ts';
import { gradientCases, operandsOf } from './gradient-cases.ts';

const { onnx } = onnxProto;

describe('encoded model', () => {
  it('says to an independent reader what was written', () => {
    const graph = new Graph();
    const x = graph.input('x', [2, 300]);
    const shifted = graph.emit('Add', [x, graph.constant([1.5, -2], [2, 1])], x.shape);
    const y = graph.emit('LeakyRelu', [shifted], x.shape, { alpha: { f: 0.25 } });
    const z = graph.emit('Transpose', [y], [300, 2], { perm: { ints: [1, 0] } });
    const padded = graph.emit('Pad', [z, graph.integers([-1, 0, 0, 300])], [299, 302], { mode: { s: 'constant' } });
    const out = graph.emit('Softmax', [padded], [299, 302], { axis: { i: -1 } });
    const model = onnx.ModelProto.decode(encodeModel(graph.content('demo', { out }), 'a text'));
    assert.equal(Number(model.irVersion), irVersion);
    assert.equal(model.producerName, 'uncol');
    assert.equal(model.docString, 'a text');
    const versions = model.opsetImport.map(({ domain, version }) => [domain, Number(version)]);
    assert.deepEqual(versions, [
      ['', opsetVersion],
      ['com.microsoft', 1],
    ]);
    const { name, node, initializer, input, output } = model.graph!;
    assert.equal(name, 'demo');
    assert.deepEqual(
      node!.map(({ opType }) => opType),
      ['Add', 'LeakyRelu', 'Transpose', 'Pad', 'Softmax'],
    );
    assert.equal(node![1]!.attribute![0]!.f, 0.25);
    assert.deepEqual(node![2]!.attribute![0]!.ints!.map(Number), [1, 0]);
    assert.equal(Buffer.from(node![3]!.attribute![0]!.s!).toString(), 'constant');
    assert.equal(Number(node![4]!.attribute![0]!.i), -1);
    const shapeOf = (value: onnxProto.onnx.IValueInfoProto) =>
      value.type!.tensorType!.shape!.dim!.map((dim) => Number(dim.dimValue));
    assert.deepEqual(
      input!.map((value) => [value.name, ...shapeOf(value)]),
      [['x', 2, 300]],
    );
    assert.deepEqual(
      output!.map((value) => [value.name, ...shapeOf(value)]),
      [['out', 299, 302]],
    );
    const constant = initializer!.find((tensor) => tensor.dataType === 1)!;
    assert.deepEqual(constant.dims!.map(Number), [2, 1]);
    const raw = Uint8Array.from(constant.rawData!);
    assert.deepEqual([...new Float32Array(raw.buffer)], [1.5, -2]);
    const counts = initializer!.find((tensor) => tensor.dataType === 7)!;
    assert.deepEqual([...new BigInt64Array(Uint8Array.from(counts.rawData!).buffer)], [-1n, 0n, 0n, 300n]);
  });
});

describe('graph', () => {
  it('writes equal constants and equal nodes once and drops what no output needs', () => {
    const graph = new Graph();
    const x = graph.input('x', [3]);
    const twice = [0, 1].map(() => graph.emit('Add', [x, graph.constant([1, 2, 3], [3])], [3]));
    graph.emit('Mul', [x, graph.constant([9, 9, 9], [3])], [3]);
    const content = graph.content('g', { y: graph.emit('Mul', twice, [3]) });
    assert.deepEqual(
      content.nodes.map((node) => node.operator),
      ['Add', 'Mul'],
    );
    assert.equal(content.constants.length, 1);
  });

  const misfits: readonly [RegExp, (ops: Ops, x: Tensor) => Tensor][] = [
    [/Add: shapes \[2,3,4,4\] and \[2\]/, (ops, x) => ops.add(x, ops.constant([1, 2], [2]))],
    [/reshape: \[2,3,4,4\] does not fit \[5\]/, (ops, x) => ops.reshape(x, [5])],
    [/transpose/, (ops, x) => ops.transpose(x, [0, 1, 1, 2])],
    [/concat/, (ops, x) => ops.concat([x, ops.constant([1], [1])], 0)],
    [/slice: \[1, 9\) on axis 1 of \[2,3,4,4\]/, (ops, x) => ops.slice(x, 1, 1, 9)],
    [/matmul: \[2,3,4,4\] and \[1,1\]/, (ops, x) => ops.matmul(x, ops.constant([1], [1, 1]))],
    [/conv: x \[2,3,4,4\] and weight \[1,2,1,1\]/, (ops, x) => ops.conv(x, ops.constant([1, 1], [1, 2, 1, 1]))],
    [/is not odd/, (ops, x) => ops.conv(x, ops.constant(new Float32Array(12), [1, 3, 2, 2]))],
    [/convDown: \[4,4\]/, (ops, x) => ops.convDown(x, ops.constant(new Float32Array(27), [1, 3, 3, 3]))],
    [/convUp: kernel \[1,1\]/, (ops, x) => ops.convUp(x, ops.constant([1, 1, 1], [3, 1, 1, 1]))],
    [/avgPool: \[4,4\] is no multiple of 3/, (ops, x) => ops.avgPool(x, 3)],
    [/maxPool2: \[1,3\]/, (ops) => ops.maxPool2(ops.constant([1, 2, 3], [1, 1, 1, 3]))],
    [/instanceNorm/, (ops, x) => ops.instanceNorm(x, ops.constant([1], [1]), ops.constant([1], [1]))],
    [/layerNorm/, (ops, x) => ops.layerNorm(x, ops.constant([1], [1]), ops.constant([1], [1]))],
    [/softmax: axis 4/i, (ops, x) => ops.softmax(x, 4)],
    [/sum: axes \[7\]/i, (ops, x) => ops.sum(x, [7])],
  ];
  for (const [pattern, apply] of misfits) {
    it(`refuses shapes that do not fit: ${pattern.source}`, () => {
      const writing = startWriting(true, 'cpu');
      assert.throws(() => apply(graphOps(writing), writing.graph.input('x', [2, 3, 4, 4])), { message: pattern });
    });
  }
});

describe('forms of a device family', () => {
  /** Loss and gradient from a graph in the forms of `family`, run on the CPU. */
  async function gradientOf(program: LossProgram, weights: Float32Array, family: 'cpu' | 'gpu'): Promise<number[]> {
    const optimiser = { kind: 'sgd', momentum: 0, weightDecay: 0 } as const;
    const built = buildStep(program, family, optimiser);
    const session = await Session.open(built.bytes, { threads: 2 });
    const vector = (values: Float32Array) => bind(values, [values.length]);
    const empty = new Float32Array(weights.length);
    const feeds = {
      student: vector(weights),
      ema: vector(weights),
      firstMoment: vector(empty),
      secondMoment: vector(empty),
      rates: vector(Float32Array.of(0, 0, 0, 0, 0)),
    };
    const { report, firstMomentNext } = await session.run(feeds, { report: null, firstMomentNext: null });
    await session.close();
    return [...report!, ...firstMomentNext!];
  }

  it('give the same loss and gradient for every operator', async () => {
    for (const [index, operator] of gradientCases.entries()) {
      const program = operatorProgram(operator.shapes, operator.apply);
      const operands = operandsOf(operator, index + 1);
      const [cpu, gpu] = [await gradientOf(program, operands, 'cpu'), await gradientOf(program, operands, 'gpu')];
      for (const [entry, value] of cpu.entries()) {
        const difference = Math.abs(value - gpu[entry]!);
        assert.ok(difference < 1e-4 * (1 + Math.abs(value)), `${operator.name}, ${entry}: ${value}, ${gpu[entry]}`);
      }
    }
  });

  it('mark the first of equal largest entries', async () => {
    const program: ForwardProgram = {
      inputs: { x: [2, 3] },
      build: (ops, _, { x }) => ({ y: ops.oneHotArgmax(x!, 1) }),
    };
    for (const family of ['cpu', 'gpu'] as const) {
      const session = await Session.open(buildForward(program, family).bytes, { threads: 1 });
      const feeds = { x: bind(Float32Array.of(1, 4, 4, 2, 2, -1), [2, 3]), student: bind(new Float32Array(0), [0]) };
      const { y } = await session.run(feeds, { y: null });
      await session.close();
      assert.deepEqual([...y!], [0, 1, 0, 1, 0, 0], family);
    }
  });
});

describe('forward graph', () => {
  it('uses the fused operators that exist only forward', () => {
    const program: ForwardProgram = {
      inputs: { x: [1, 2, 4, 4] },
      build: (ops, parameters, { x }) => ({
        y: ops.upsample2(ops.instanceNorm(ops.conv(x!, parameters.get('w', [2, 2, 3, 3], { kind: 'zeros' })))),
      }),
    };
    const model = onnx.ModelProto.decode(buildForward(program, 'cpu', new Float32Array(36)).bytes);
    assert.deepEqual(
      model.graph!.node!.map(({ opType }) => opType),
      ['Conv', 'InstanceNormalization', 'Resize'],
    );
    assert.deepEqual(
      model.graph!.input!.map(({ name }) => name),
      ['x'],
    );
  });
});
