import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Initial, ParameterTable } from '../../../server/src/engine/ops.ts';
import { ParameterCollector } from '../../../server/src/engine/parameter-table.ts';
import { fromHalf, initialise, toHalf } from '../../../server/src/engine/vectors.ts';
import { normals } from './finite-differences.ts';

function tableOf(...rows: [name: string, size: number, initial: Initial][]): ParameterTable {
  const collector = new ParameterCollector(({ shape }) => ({ shape }));
  for (const [name, size, initial] of rows) collector.get(name, [size], initial);
  return collector.table();
}

describe('initialise', () => {
  it('fills each parameter as its row says', () => {
    const table = tableOf(
      ['a', 1000, { kind: 'uniform', bound: 0.5 }],
      ['b', 3, { kind: 'ones' }],
      ['c', 2, { kind: 'zeros' }],
    );
    const weights = initialise(table, 1);
    const drawn = weights.slice(0, 1000);
    assert.ok(Math.max(...drawn) <= 0.5 && Math.max(...drawn) > 0.49);
    assert.ok(Math.min(...drawn) >= -0.5 && Math.min(...drawn) < -0.49);
    assert.deepEqual([...weights.slice(1000)], [1, 1, 1, 0, 0]);
  });

  it('repeats for a seed, differs between seeds, and does not depend on other parameters', () => {
    const uniform = { kind: 'uniform', bound: 1 } as const;
    const alone = initialise(tableOf(['b', 4, uniform]), 7);
    assert.deepEqual(initialise(tableOf(['b', 4, uniform]), 7), alone);
    assert.notDeepEqual(initialise(tableOf(['b', 4, uniform]), 8), alone);
    assert.deepEqual(initialise(tableOf(['a', 5, uniform], ['b', 4, uniform]), 7).slice(5), alone);
  });
});

describe('parameter table', () => {
  it('gives the same tensor for a name asked for twice and refuses another shape', () => {
    const collector = new ParameterCollector(({ shape }) => ({ shape }));
    const first = collector.get('w', [2, 3], { kind: 'zeros' });
    assert.equal(collector.get('w', [2, 3], { kind: 'zeros' }), first);
    assert.throws(
      () => collector.get('w', [3, 2], { kind: 'zeros' }),
      /parameter w: asked for as \[3,2\] and as \[2,3\]/,
    );
    assert.equal(collector.table().size, 6);
  });

  it('has a hash that changes with names, shapes and order', () => {
    const zeros = { kind: 'zeros' } as const;
    const hashes = [
      tableOf(['a', 2, zeros], ['b', 3, zeros]),
      tableOf(['b', 3, zeros], ['a', 2, zeros]),
      tableOf(['a', 2, zeros]),
    ];
    assert.equal(new Set(hashes.map((table) => table.hash)).size, 3);
  });
});

describe('half precision', () => {
  it('keeps every one of its 65536 values', () => {
    const bytes = new Uint8Array(2 * 65536);
    for (let half = 0; half < 65536; half += 1) bytes.set([half & 255, half >>> 8], 2 * half);
    const back = toHalf(fromHalf(bytes));
    for (let half = 0; half < 65536; half += 1) {
      const seen = back[2 * half]! | (back[2 * half + 1]! << 8);
      const isNan = (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
      if (isNan) assert.ok((seen & 0x7c00) === 0x7c00 && (seen & 0x3ff) !== 0);
      else assert.equal(seen, half);
    }
  });

  it('rounds to the nearest value, ties to even', () => {
    const cases: readonly [number, number][] = [
      [1 + 2 ** -11, 1],
      [1 + 3 * 2 ** -11, 1 + 2 ** -9],
      [1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
      [65519, 65504],
      [65520, Number.POSITIVE_INFINITY],
      [2 ** -25, 0],
      [1.5 * 2 ** -25, 2 ** -24],
      [-3 * 2 ** -25, -(2 ** -23)],
      [2047.5 * 2 ** -25, 2 ** -14],
      [0.1, 0.0999755859375],
    ];
    for (const [value, expected] of cases) assert.equal(fromHalf(toHalf(Float32Array.of(value)))[0], expected);
  });

  it('loses at most one part in 2048', () => {
    const values = normals(1, 10000);
    const back = fromHalf(toHalf(values));
    for (const [index, value] of values.entries()) {
      assert.ok(Math.abs(back[index]! - value) <= Math.max(Math.abs(value) / 2048, 2 ** -25));
    }
  });
});
