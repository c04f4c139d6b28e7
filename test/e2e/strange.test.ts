import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Random } from '../../server/src/engine/random.ts';
import { createGeometry, voxelCount } from '../../server/src/volume/geometry.ts';
import { createVolume } from '../../server/src/volume/volume.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { findChromium } from './harness.ts';
import { openSite, type ViewerSite } from './site.ts';

const chromium = findChromium();
const options = { skip: chromium.skip };

let site: ViewerSite;
const ball = makeBall();

before(async () => {
  if (options.skip) return;
  site = await openSite(chromium.path);
  for (const file of ball.files) await site.pacs.store(file);
});

after(() => site?.close());

test('the reader of a ball of water is told that it is no head', options, async () => {
  const { viewer } = site;
  await viewer.openStudy(ball.studyInstanceUid);
  await viewer.chooseModel('brain-mr');
  await viewer.drawMask();
  const warning = viewer.panel.getByRole('alert').filter({ hasText: 'unlike those that brain-mr was made for' });
  assert.match((await warning.textContent()) ?? '', /Do not rely on the mask/);
  await viewer.keepPicture('22-strange');
  assert.deepEqual(viewer.faults, []);
});

/** As a scanner's phantom: a bright ball in air, with noise. */
function makeBall() {
  const size = [112, 112, 60] as const;
  const geometry = createGeometry({
    ...{ size, spacingMm: [2, 2, 3], origin: [-111, -111, -88.5] },
    direction: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
  });
  const noise = new Random(4);
  const data = Int16Array.from({ length: voxelCount(geometry) }, (_, n) => {
    const [i, j, k] = [n % 112, Math.floor(n / 112) % 112, Math.floor(n / 112 ** 2)];
    const isIn = Math.hypot(2 * i - 111, 2 * j - 111, 3 * k - 88.5) < 70;
    return Math.max(0, Math.round((isIn ? 600 : 20) + noise.normal(15)));
  });
  return makeSeries(createVolume(data, geometry), {
    attributes: () => ({ PatientName: 'WATER^BALL', PatientID: 'PH-1' }),
  });
}
