import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeStoring } from '../../../extension/src/service/words.ts';

test('only while the server tries does the receipt say that it keeps trying', () => {
  assert.deepEqual(describeStoring({ state: 'stored', error: null }), []);
  assert.match(describeStoring({ state: 'storing', error: null }).join(' '), /keeps trying/);
  const error = { code: 'series-not-found', message: 'The series is gone.', hint: 'Check the UIDs.' };
  const failed = describeStoring({ state: 'failed', error }).join(' ');
  assert.match(failed, /has stopped trying.*The series is gone\. Check the UIDs\..*administrator/);
  assert.doesNotMatch(failed, /keeps trying/);
});
