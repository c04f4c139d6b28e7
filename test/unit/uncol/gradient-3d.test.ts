import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Arrays, LossProgram } from '../../../server/src/engine/ops.ts';
import { Random } from '../../../server/src/engine/random.ts';
import { initialise } from '../../../server/src/engine/vectors.ts';
import { type Student, studentOf } from '../../../server/src/student/architecture.ts';
import { collaborateProgram, gateProgram, labelledOnlyProgram } from '../../../server/src/uncol/collaborate.ts';
import type { DistilledMaps } from '../../../server/src/uncol/distill.ts';
import { labelledArrays, randomArrays } from '../../../server/src/uncol/feed.ts';
import { pretrainProgram } from '../../../server/src/uncol/pretrain.ts';
import { collaborationSettingsSchema } from '../../../server/src/uncol/settings.ts';
import { engine } from './on-engine.ts';

const student = studentOf({ network: 'prob-vnet-3d', variant: 'tiny', classes: 2 });
const space = [16, 32, 16];
const voxels = 16 * 32 * 16;
const shape = { pairs: 1, space };
const settings = collaborationSettingsSchema.parse({});
const random = new Random(3);
const noise = (length: number) => Float32Array.from({ length }, () => random.normal());
const coins = (length: number) => Uint8Array.from({ length }, () => random.int(2));
const volume = () => ({ image: noise(voxels), label: coins(voxels), known: coins(voxels) });

const [a, b] = [volume(), volume()];
const draws = randomArrays(settings, 'collaboration', 0, student, { mixes: 2, space });
/** Sure of a class where a coin says so, else undecided. */
const sure = coins(2 * voxels);
const inputs: Arrays = {
  ...labelledArrays([a, b], voxels),
  ...draws,
  unlabelled: noise(2 * voxels),
  specialized: Float32Array.from({ length: 4 * voxels }, (_, at) => {
    const [image, label] = [Math.floor(at / (2 * voxels)), Math.floor(at / voxels) % 2];
    return sure[image * voxels + (at % voxels)] ? (label === 1 ? 0.99 : 0.01) : 0.5;
  }),
  maskLogits: new Float32Array(2 * voxels),
  answered: new Float32Array(2 * voxels),
  temperature: Float32Array.of(1),
  kept: Float32Array.of(1, 1),
  threshold: Float32Array.of(0.75),
};

/** A student whose logits are its parameters, so that their gradient is that of the loss itself. */
const bare: Student = {
  ...student,
  forward: (_ops, parameters, image) => {
    const logits = parameters.get('logits', [2, 2, ...space], { kind: 'zeros' });
    return { logits, heads: [], hidden: [], prior: image };
  },
};

test('in 3D exactly the voxels that are known or trusted have a gradient', async () => {
  assert.deepEqual(Object.keys(draws), ['mask'], 'no dropout in 3D');
  const mask = draws['mask']!;
  const { gradient } = await engine.gradients(collaborateProgram(bare, shape, settings), noise(4 * voxels), inputs);
  for (let voxel = 0; voxel < voxels; voxel++) {
    const inside = mask[voxel] === 0;
    const counts = [inside ? sure[voxel] : a.known[voxel], inside ? b.known[voxel] : sure[voxels + voxel]];
    for (const [image, isCounted] of counts.entries()) {
      for (const label of [0, 1]) {
        const value = gradient[(2 * image + label) * voxels + voxel]!;
        assert.equal(value !== 0, isCounted === 1, `image ${image}, voxel ${voxel}: ${value}`);
      }
    }
  }
});

test('all programs of both stages read a 3D student by the table of its inference', async () => {
  const { hash } = engine.table(student.inferenceProgram(1, space));
  assert.equal(engine.table(pretrainProgram(student, { batch: 2, space })).hash, hash);
  assert.equal(engine.table(collaborateProgram(student, shape, settings)).hash, hash);
  assert.equal(engine.table(labelledOnlyProgram(student, shape, settings)).hash, hash);
  const program = gateProgram(student, shape, settings);
  const gate = await engine.predictor(program);
  const asked = Object.keys(program.inputs).map((name) => [name, inputs[name]!] as const);
  const { trusted } = await gate.run(new Float32Array(), Object.fromEntries(asked));
  assert.deepEqual(trusted, Float32Array.from(sure));
  await gate.dispose();
});

const maps: DistilledMaps = { visual: [6, 6, 6], semantic: 4 };
const distilling = pretrainProgram(student, { batch: 2, space }, maps);
const table = engine.table(distilling);
const mapInputs = (channels: number) => noise(2 * channels * 2);
const given = {
  ...labelledArrays([a, b], voxels),
  ...randomArrays(settings, 'pretraining', 0, student, { mixes: 1, space }),
  labelledVisual0: mapInputs(6),
  labelledVisual1: mapInputs(6),
  labelledVisual2: mapInputs(6),
  labelledSemantic: mapInputs(4),
  distillation: Float32Array.of(0.1),
};

/** Names of the parameters that one term of stage 1 moves. */
async function movedBy(name: string): Promise<readonly string[]> {
  const program: LossProgram = {
    inputs: distilling.inputs,
    build: (...text) => ({ loss: distilling.build(...text).terms[name] ?? assert.fail(name), terms: {} }),
  };
  const { gradient } = await engine.gradients(program, initialise(table, 3), given);
  return table.rows
    .filter((row, at) => gradient.subarray(row.offset, table.rows[at + 1]?.offset).some((value) => value !== 0))
    .map((row) => row.name);
}

test('in 3D visual distillation reaches the first three blocks of the transformer and the projection, no more', async () => {
  const moved = await movedBy('visual');
  for (const name of ['prior.embed.weight', 'prior.0.mlp-in.weight', 'prior.1.mlp-in.weight', 'prior.2.mlp-out.weight'])
    assert.ok(moved.includes(name), name);
  assert.deepEqual(
    moved.filter((name) => !/^prior\.(patch-norm|embed|embed-norm|0|1|2)\./.test(name)),
    ['projections.hidden.weight'],
  );
});

test('in 3D semantic distillation reaches the whole transformer and the alignment, no more', async () => {
  const moved = await movedBy('semantic');
  assert.ok(moved.includes('prior.3.mlp-out.weight') && moved.includes('prior.norm.scale'));
  assert.deepEqual(
    moved.filter((name) => !name.startsWith('prior.')),
    ['projections.semantic.weight'],
  );
});
