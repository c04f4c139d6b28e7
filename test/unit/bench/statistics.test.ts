import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interval95, medianOf } from '../../../server/src/round/statistics.ts';
import { spreadTable } from '../../bench/spread.ts';
import { auroc, quantile, rateAtMost } from '../../bench/statistics.ts';

test('the median of an even number of values lies between the two in the middle', () => {
  assert.equal(medianOf([4, 1, 3, 2]), 2.5);
  assert.equal(medianOf([7, 1, 3]), 3);
});

test('quantiles run from the least to the greatest value', () => {
  const values = [30, 10, 20];
  assert.deepEqual([quantile(values, 0), quantile(values, 0.25), quantile(values, 1)], [10, 15, 30]);
  assert.deepEqual(values, [30, 10, 20]);
});

test("the interval of five values is Student's with four degrees of freedom", () => {
  // Mean 3, sample sd sqrt(2.5), so 3 +- 2.776 * sqrt(2.5 / 5).
  const { low, high } = interval95([1, 2, 3, 4, 5]);
  assert.ok(
    Math.abs(low - (3 - 2.776 * Math.sqrt(0.5))) < 1e-12 && Math.abs(high - (3 + 2.776 * Math.sqrt(0.5))) < 1e-12,
  );
  // 2.160 and 1.985 standard errors with 13 and 95 degrees of freedom (tables of Student's t).
  for (const [count, point] of [
    [14, 2.1604],
    [96, 1.9853],
  ] as const) {
    const values = Array.from({ length: count }, (_, n) => (n % 2 === 0 ? 1 : -1));
    const error = Math.sqrt(1 / (count - 1));
    assert.ok(Math.abs(interval95(values).high / error - point) < 1e-3, `${count}`);
  }
  assert.throws(() => interval95([1]), RangeError);
});

test('the area under the ROC curve is 1 when all are higher, and counts ties half', () => {
  assert.equal(auroc([3, 4], [1, 2]), 1);
  assert.equal(auroc([1, 2], [3, 4]), 0);
  assert.equal(auroc([2, 3], [2, 3]), 0.5);
  assert.equal(auroc([2, 5], [1, 2, 3, 4]), (1.5 + 4) / 8);
});

test('a table of medians leaves out what was not measured', () => {
  const rows = [{ ms: 1234 }, { ms: 1.234 }, { other: 5 }];
  assert.equal(
    spreadTable(rows, [
      ['ms', 'time'],
      ['none', 'nothing'],
    ])
      .split('\n')
      .at(-1),
    '| time | 618 | 1.23 | 1234 | 2 |',
  );
});

test('the greatest rate that so few events allow is that of the exact binomial bound', () => {
  // Of no event: 1 - 0.05^(1/20).
  assert.ok(Math.abs(rateAtMost(0, 20) - (1 - 0.05 ** (1 / 20))) < 1e-9);
  assert.ok(Math.abs(rateAtMost(1, 20) - 0.2161) < 1e-4);
  assert.equal(rateAtMost(5, 5), 1);
});
