import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithout } from '../fixtures/validators.ts';
import { viewerRoundTrip } from '../proof/viewer-round-trip.ts';
import { findChromium } from './harness.ts';
import { openSite } from './site.ts';

const chromium = findChromium();

test('masks on random series go through the viewer and back voxel for voxel', {
  skip: chromium.skip || skipWithout('python3'),
}, async () => {
  const site = await openSite(chromium.path);
  try {
    const result = await viewerRoundTrip(site, 99, 5, () => undefined);
    assert.deepEqual(result, {
      cases: 5,
      wrongLoaded: 0,
      wrongStored: 0,
      wrongStoredForPydicom: 0,
      wrongSavedForPydicom: 0,
      faults: [],
    });
  } finally {
    await site.close();
  }
});
