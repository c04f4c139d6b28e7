import assert from 'node:assert/strict';
import { test } from 'node:test';
import { childEnvironment } from '../../../server/src/jobs/children.ts';

test('a child gets no secret and no setting, and large pages unless the site says otherwise', () => {
  const given = { PATH: '/bin', DATABASE_URL: 'postgres://x', UNCOL_PACS_TOKEN: 'x' };
  assert.deepEqual(childEnvironment(given), { PATH: '/bin', GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' });
  const own = { GLIBC_TUNABLES: 'glibc.malloc.check=1' };
  assert.deepEqual(childEnvironment(own), own);
});
