import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ops, Tensor } from '../../../server/src/engine/ops.ts';
import { crossEntropy, dice, focal, softIou } from '../../../server/src/uncol/losses/overlap.ts';
import { mixLoss } from '../../../server/src/uncol/losses/pseudo-label.ts';
import { supervisedLoss } from '../../../server/src/uncol/losses/supervised.ts';
import { oneHot, outside } from '../../../server/src/uncol/mix.ts';
import { differentiate, evaluate, given } from './on-engine.ts';

const plane = [1, 1, 2, 2];
const logits = given([1, 2, 2, 2], [2, -1, 0.5, 0, -2, 1, -0.5, 0.3]);
const imageLabel = given(plane, [0, 1, 0, 0]);
const patchLabel = given(plane, [0, 1, 1, 1]);
const mask = given(plane, [1, 1, 0, 0]);
const trusted = given(plane, [1, 1, 0, 1]);
const everywhere = given(plane, [1, 1, 1, 1]);
const nowhere = given(plane, [0, 0, 0, 0]);

/** Golden values have six digits; float32 adds about 1e-7. */
const near = (actual: number | undefined, expected: number) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 2e-6, `${actual} is not ${expected}`);

test('cross-entropy, Dice, focal and soft IoU give the golden values', async () => {
  const values = await evaluate({ logits, label: imageLabel, region: everywhere }, (ops, x) => {
    const truth = oneHot(ops, x.label, 2);
    return {
      crossEntropy: crossEntropy(ops, x.logits, truth, x.region),
      dice: dice(ops, x.logits, truth, x.region),
      focal: focal(ops, x.logits, truth, x.region),
      softIou: softIou(ops, x.logits, truth, x.region),
      stage1: supervisedLoss(ops, [x.logits, x.logits, x.logits, x.logits], truth, x.region).value,
    };
  });
  near(values['crossEntropy']?.[0], 0.328174);
  near(values['dice']?.[0], 0.272043);
  near(values['focal']?.[0], 0.076598);
  near(values['softIou']?.[0], 0.420582);
  near(values['stage1']?.[0], (0.328174 + 0.272043 + 0.076598 + 0.420582) / 4);
});

type Side = 'image' | 'patch';
type MixInputs = Readonly<Record<'image' | 'patch' | 'mask' | 'trusted', Tensor>>;
/** L_mix where `pseudoSide` carries the pseudo label with weight 0.5 and the trust mask. */
function mixOf(ops: Ops, x: Tensor, inputs: MixInputs, pseudoSide: Side) {
  const parts = { image: inputs.mask, patch: outside(ops, inputs.mask) };
  const trueSide = pseudoSide === 'image' ? 'patch' : 'image';
  const truth = { truth: oneHot(ops, inputs[trueSide], 2), region: parts[trueSide], weight: 1 };
  const region = ops.mul(parts[pseudoSide], inputs.trusted);
  return mixLoss(ops, x, truth, { truth: oneHot(ops, inputs[pseudoSide], 2), region, weight: 0.5 });
}
const mixInputs = { image: imageLabel, patch: patchLabel, mask, trusted };

for (const [side, total, diceSum, crossEntropySum] of [
  ['patch', 0.368027, 0.386337, 0.349717],
  ['image', 0.853923, 0.737767, 0.970078],
] as const)
  test(`L_mix gives the golden value with the pseudo label on the ${side} side`, async () => {
    const values = await evaluate({ logits, ...mixInputs }, (ops, x) => {
      const loss = mixOf(ops, x.logits, x, side);
      const half = ops.scalar(0.5);
      return {
        total: loss.value,
        dice: ops.add(loss.groundTruth.terms.dice, ops.mul(loss.pseudo.terms.dice, half)),
        crossEntropy: ops.add(loss.groundTruth.terms.crossEntropy, ops.mul(loss.pseudo.terms.crossEntropy, half)),
      };
    });
    near(values['total']?.[0], total);
    near(values['dice']?.[0], diceSum);
    near(values['crossEntropy']?.[0], crossEntropySum);
  });

test('an ignored pixel gets exactly no gradient, every other pixel some', async () => {
  const { gradient } = await differentiate(logits, mixInputs, (ops, x, inputs) => mixOf(ops, x, inputs, 'patch').value);
  const pixels = [0, 1, 2, 3].map((pixel) => [gradient[pixel], gradient[4 + pixel]]);
  assert.deepEqual(pixels[2], [0, 0]);
  for (const pixel of [0, 1, 3])
    assert.ok(
      pixels[pixel]?.every((value) => value !== 0),
      `pixel ${pixel}`,
    );
});

test('a pixel that nobody vouched for gets exactly no gradient from any loss of stage 1', async () => {
  const { gradient } = await differentiate(
    logits,
    { label: imageLabel, known: trusted },
    (ops, x, { label, known }) => supervisedLoss(ops, [x, x, x, x], oneHot(ops, label, 2), known).value,
  );
  assert.deepEqual([gradient[2], gradient[6]], [0, 0]);
  assert.ok([0, 1, 3].every((pixel) => gradient[pixel] !== 0));
});

test('the trust mask does not touch the ground-truth side', async () => {
  const run = (trust: typeof trusted) =>
    differentiate(
      logits,
      { ...mixInputs, trusted: trust },
      (ops, x, inputs) => mixOf(ops, x, inputs, 'patch').groundTruth.value,
    );
  const [some, none] = [await run(trusted), await run(nowhere)];
  assert.deepEqual(some, none);
  assert.ok(some.loss > 0);
});

test('the label of an ignored pixel does not change the loss', async () => {
  const run = (label: number[]) =>
    differentiate(
      logits,
      { ...mixInputs, patch: given(plane, label) },
      (ops, x, inputs) => mixOf(ops, x, inputs, 'patch').value,
    );
  assert.deepEqual(await run([0, 1, 1, 1]), await run([0, 1, 0, 1]));
});

test('an empty region costs nothing and is no NaN', async () => {
  const { loss, gradient } = await differentiate(
    logits,
    { label: imageLabel, known: nowhere },
    (ops, x, inputs) => supervisedLoss(ops, [x, x, x, x], oneHot(ops, inputs.label, 2), inputs.known).value,
  );
  assert.equal(loss, 0);
  assert.ok(gradient.every((value) => value === 0));
});

test('extreme logits stay finite', async () => {
  const extreme = given([1, 2, 2, 2], [300, -300, 300, 0, -300, 300, -300, 0]);
  const wrong = given(plane, [1, 0, 0, 0]);
  const { loss, gradient } = await differentiate(
    extreme,
    { label: wrong, known: everywhere },
    (ops, x, inputs) => supervisedLoss(ops, [x, x, x, x], oneHot(ops, inputs.label, 2), inputs.known).value,
  );
  assert.ok(Number.isFinite(loss) && gradient.every(Number.isFinite));
});
