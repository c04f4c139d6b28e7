import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { AppError } from '../../../server/src/errors/app-error.ts';
import type { SeriesRecord } from '../../../server/src/study/dicom-json.ts';
import { createListing } from '../../../server/src/worklist/listing.ts';

function recordOf(uid: string): SeriesRecord {
  return {
    studyInstanceUid: '1',
    seriesInstanceUid: uid,
    modality: 'MR',
    bodyPart: '',
    instances: 1,
    description: '',
    studyDate: '',
  };
}

describe('listing of the PACS', () => {
  it('asks once for all who ask at the same time, keeps the answer, and renews it behind their backs', async () => {
    let [asked, clock] = [0, 0];
    const list = createListing({ searchSeries: async () => [recordOf(`1.${++asked}`)] }, { now: () => clock });
    const [first, second] = await Promise.all([list(['MR']), list(['MR'])]);
    assert.deepEqual([first, asked], [second, 1]);
    clock = 30_000;
    await list(['MR']);
    assert.equal(asked, 1);
    clock = 31_000;
    assert.equal((await list(['MR'])).series[0]?.seriesInstanceUid, '1.1', 'nobody waits for the renewal');
    await turn();
    assert.deepEqual(await list(['MR']), { series: [recordOf('1.2')], listedAt: new Date(31_000) });
    clock = 400_000;
    assert.equal((await list(['MR'])).series[0]?.seriesInstanceUid, '1.3', 'a list of long ago is not given');
    assert.equal(asked, 3);
  });

  it('outlives a PACS that is away for a moment, and says when it is away for long', async () => {
    let [isAway, clock] = [false, 0];
    const fault = new AppError('pacs-unreachable', 'away');
    let asked = 0;
    const searchSeries = async () => {
      asked += 1;
      return isAway ? Promise.reject(fault) : [recordOf('1.1')];
    };
    const list = createListing({ searchSeries }, { now: () => clock });
    await list(['MR', 'CT']);
    isAway = true;
    clock = 60_000;
    assert.equal((await list(['MR'])).series.length, 1);
    await turn();
    clock = 301_000;
    await assert.rejects(list(['MR']), { code: 'pacs-unreachable' });
    await turn();
    isAway = false;
    assert.equal(asked, 4);
    await assert.rejects(list(['MR']), { code: 'pacs-unreachable' }, 'it is not asked again at once');
    assert.equal(asked, 4);
    clock = 331_000;
    assert.equal((await list(['MR'])).series.length, 1);
  });

  it('asks no more than every five minutes for who needs no more', async () => {
    let [asked, clock] = [0, 0];
    const list = createListing({ searchSeries: async () => [recordOf(`1.${++asked}`)] }, { now: () => clock });
    await list(['MR'], 'lately');
    clock = 299_000;
    await list(['MR'], 'lately');
    await turn();
    assert.equal(asked, 1);
    clock = 301_000;
    await list(['MR'], 'lately');
    assert.equal(asked, 2);
  });
});
