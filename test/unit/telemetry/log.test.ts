import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createLog, faultOf, type LogFields, stackOf } from '../../../server/src/telemetry/log.ts';

const canary = 'CANARY^PATIENT';

describe('log', () => {
  const collect = () => {
    const lines: string[] = [];
    return { lines, log: createLog('debug', Buffer.alloc(32, 1), { write: (line) => lines.push(line) }) };
  };

  it('drops every key that is not on its list, at any depth', () => {
    const { lines, log } = collect();
    const holders = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant(canary),
        fc.array(tie('value')),
        fc.dictionary(fc.string(), tie('value')),
      ),
    })).value;
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().map((key) => `x${key}`),
          holders,
        ),
        holders,
        (fields, held) => {
          log.info('Line', { ...fields, jobId: held } as unknown as LogFields);
        },
      ),
      { numRuns: 200 },
    );
    assert.equal(lines.length, 200);
    const leaked = lines.filter((line) => line.includes(canary) && JSON.parse(line).jobId !== canary);
    assert.deepEqual(leaked, []);
  });

  it('keeps the fields it was made with, and lets known ones through', () => {
    const { lines, log } = collect();
    log.with({ jobId: 'j' }).warn('Child lost', { count: 2 });
    const { jobId, count, msg } = JSON.parse(lines[0] ?? '');
    assert.deepEqual([jobId, count, msg], ['j', 2, 'Child lost']);
  });

  it('shows a UID as the same short hash each time, and never in clear', () => {
    const { log } = collect();
    assert.match(log.hashUid('1.2.3'), /^[0-9a-f]{10}$/);
    assert.equal(log.hashUid('1.2.3'), log.hashUid('1.2.3'));
    assert.notEqual(createLog('info', Buffer.alloc(32, 2)).hashUid('1.2.3'), log.hashUid('1.2.3'));
  });

  it('tells where a fault was thrown and not its text', () => {
    const shown = stackOf(new TypeError(`cannot read ${canary}\n of two lines`));
    assert.match(shown, /^TypeError \| at .*log\.test\.ts/);
    assert.doesNotMatch(shown, /CANARY|two lines/);
  });

  it('names a fault by its class and code, also when a library hands on a copy of it', () => {
    const refused = Object.assign(new Error(`${canary} refused`), { code: `ECONNREFUSED ${canary}` });
    assert.equal(faultOf(refused), 'Error ECONNREFUSED');
    assert.equal(faultOf({ ...refused, message: refused.message, stack: refused.stack }), 'Error ECONNREFUSED');
    assert.equal(faultOf(new RangeError(canary)), 'RangeError');
    for (const odd of [undefined, null, canary]) assert.doesNotMatch(faultOf(odd), /CANARY/);
    assert.notEqual(faultOf(undefined), '');
  });
});
