import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AppError, fromErrorRecord, toErrorRecord } from '../../../server/src/errors/app-error.ts';
import { errorTable } from '../../../server/src/errors/table.ts';

const source = fileURLToPath(new URL('../../../server/src/', import.meta.url));

describe('errors', () => {
  it('every code has an error status, a short title and something to do', () => {
    for (const [code, { status, title, hint }] of Object.entries(errorTable)) {
      assert.match(code, /^[a-z]+(-[a-z]+)*$/);
      assert.ok(status >= 400 && status < 600 && title.length <= 40, code);
      assert.match(hint, /^[A-Z].*[.]$/, code);
    }
  });

  it('every code is used somewhere', () => {
    const text = readdirSync(source, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.startsWith('errors/'))
      .map((name) => readFileSync(join(source, name), 'utf8'))
      .join('\n');
    const unused = Object.keys(errorTable).filter((code) => !text.includes(`'${code}'`));
    assert.deepEqual(unused, []);
  });

  it('crosses a process boundary whole, and a foreign error loses its text', () => {
    const error = new AppError('series-tilted', 'Tilt 12 degrees.', { degrees: 12 });
    const again = fromErrorRecord(structuredClone(toErrorRecord(error)));
    assert.deepEqual(
      [again.code, again.message, again.detail, again.status],
      [error.code, error.message, error.detail, 422],
    );
    const foreign = toErrorRecord(new Error('CANARY'));
    assert.equal(foreign.code, 'internal');
    assert.doesNotMatch(JSON.stringify(foreign), /CANARY/);
  });
});
