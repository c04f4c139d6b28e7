import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../../server/src/engine/random.ts';
import { type OrderedCase, orderCases } from '../../../server/src/worklist/orders.ts';

/** So many rounds that the noise is gone. */
const trained = { model: 'm', version: 3, rounds: 200 };

function caseOf(n: number, rest: Partial<OrderedCase> = {}): OrderedCase {
  return {
    studyInstanceUid: `1.${n}`,
    seriesInstanceUid: `1.${n}.1`,
    studyDate: null,
    isFound: true,
    scores: null,
    ...rest,
  };
}
const scored = (n: number, bySegment: readonly (number | null)[], whole = 0): OrderedCase =>
  caseOf(n, { scores: { whole, bySegment } });
const uids = (cases: readonly OrderedCase[]) => cases.map(({ studyInstanceUid }) => studyInstanceUid);

describe('order by uncertainty', () => {
  it('lets each segment have its turn, also one that is seen rarely or that is always sure', () => {
    const cases = [
      ...Array.from({ length: 20 }, (_, n) => scored(n, [0.9 - n / 100, 0.05 + n / 1000, null])),
      scored(30, [0.1, 0.01, 0.02]),
    ];
    const ordered = uids(orderCases('uncertainty', cases, trained));
    // Segment 1 takes its most doubtful case, segment 2 its own, segment 3 the only one that shows it.
    assert.deepEqual(ordered.slice(0, 3), ['1.0', '1.19', '1.30']);
    assert.deepEqual(ordered.slice(3, 7), ['1.1', '1.18', '1.2', '1.17']);
    assert.equal(new Set(ordered).size, cases.length);
  });

  it('puts masks without any segment after the others, the doubtful first, and what has no score last', () => {
    const cases = [caseOf(1), scored(2, [null], 0.1), scored(3, [null], 0.4), scored(4, [0.01]), caseOf(5)];
    const ordered = uids(orderCases('uncertainty', cases, trained));
    assert.deepEqual(ordered.slice(0, 3), ['1.4', '1.3', '1.2']);
    assert.deepEqual(ordered.slice(3).sort(), ['1.1', '1.5']);
  });

  it('carries noise that decays with the rounds', () => {
    const cases = Array.from({ length: 200 }, (_, n) => scored(n, [n / 200]));
    const exact = uids(cases.toReversed());
    const disorder = (rounds: number) => {
      const ordered = uids(orderCases('uncertainty', cases, { ...trained, rounds }));
      return ordered.reduce((sum, uid, at) => sum + Math.abs(at - exact.indexOf(uid)), 0) / ordered.length;
    };
    const [first, fourth, late] = [disorder(0), disorder(4), disorder(200)] as const;
    assert.ok(first > 2 * fourth && fourth > 0, `${first} places away, later ${fourth}`);
    assert.equal(late, 0);
  });

  it('is the same at every poll of a version, whatever the order of the PACS, and another for the next version', () => {
    const random = new Random(1);
    const cases = Array.from({ length: 60 }, (_, n) =>
      n % 3 === 0 ? caseOf(n) : scored(n, [random.next(), random.next()]),
    );
    const first = uids(orderCases('uncertainty', cases, { ...trained, rounds: 0 }));
    assert.deepEqual(uids(orderCases('uncertainty', cases.toReversed(), { ...trained, rounds: 0 })), first);
    assert.notDeepEqual(uids(orderCases('uncertainty', cases, { ...trained, version: 4, rounds: 0 })), first);
  });
});

describe('the other orders', () => {
  it('random: all are drawn, those in which something was found first', () => {
    const cases = Array.from({ length: 40 }, (_, n) => caseOf(n, { isFound: n % 2 === 0 }));
    const ordered = orderCases('random', cases, trained);
    assert.ok(
      ordered.slice(0, 20).every(({ isFound }) => isFound) && !ordered.slice(20).some(({ isFound }) => isFound),
    );
    assert.notDeepEqual(uids(ordered.slice(0, 20)), uids(cases.filter(({ isFound }) => isFound)));
    assert.deepEqual(uids(orderCases('random', cases.toReversed(), trained)), uids(ordered));
  });

  it('random: every case is first about as often as any other', () => {
    const cases = Array.from({ length: 4 }, (_, n) => caseOf(n));
    const firsts = Array.from({ length: 4000 }, (_, version) => {
      const [first] = orderCases('random', cases, { ...trained, version });
      return first?.studyInstanceUid;
    });
    for (const { studyInstanceUid } of cases) {
      const count = firsts.filter((uid) => uid === studyInstanceUid).length;
      // 1,000 are expected; six standard deviations are 164.
      assert.ok(Math.abs(count - 1000) < 164, `${studyInstanceUid}: ${count}`);
    }
  });

  it('worklist: newest first, ties by UID, undated last', () => {
    const dates = ['20240102', null, '20250101', '20240102'];
    const cases = dates.map((studyDate, n) => caseOf(9 - n, { studyDate }));
    assert.deepEqual(uids(orderCases('worklist', cases, trained)), ['1.7', '1.6', '1.9', '1.8']);
  });

  it('no case is no order', () => {
    for (const order of ['uncertainty', 'random', 'worklist'] as const)
      assert.deepEqual(orderCases(order, [], trained), []);
  });
});
