import type { Page } from 'playwright-core';
import { findChromium } from '../e2e/harness.ts';
import { ViewerPage } from '../e2e/viewer-page.ts';
import type { Bench, Row } from './record.ts';
import { findSample, preparedHome, prepareHome } from './server.ts';
import { read, type SeriesAddress, startServer } from './server-process.ts';
import { spreadTable } from './spread.ts';

/** The first one starts the inference process and is told apart. */
const runs = 6;

/** Coloured pixels of the viewport's canvas: the images are grey, a mask is not, and text does not stand in the canvas. */
const countColoured = `globalThis.countColoured = () => {
  const source = document.querySelector('canvas.cornerstone-canvas');
  const small = document.createElement('canvas');
  small.width = small.height = 128;
  const context = small.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, 128, 128);
  const { data } = context.getImageData(0, 0, 128, 128);
  let coloured = 0;
  for (let n = 0; n < data.length; n += 4) {
    const [red, green, blue] = [data[n], data[n + 1], data[n + 2]];
    if (Math.max(red, green, blue) - Math.min(red, green, blue) > 30) coloured += 1;
  }
  return coloured;
};`;

/** From the next click on, looks every 25 ms whether the mask is on the screen, and notes how long it took. */
const watchMask = `(() => {
  globalThis.clickToMaskMs = undefined;
  addEventListener('click', () => {
    const clickedAt = performance.now();
    const timer = setInterval(() => {
      if (globalThis.countColoured() < 20) return;
      globalThis.clickToMaskMs = performance.now() - clickedAt;
      clearInterval(timer);
    }, 25);
  }, { capture: true, once: true });
})()`;

async function run(tell: (line: string) => void): Promise<readonly Row[]> {
  const chromium = findChromium();
  if (chromium.skip) throw new Error(chromium.skip);
  tell('preparing');
  await prepareHome();
  const colin = await findSample('colin27');
  const server = await startServer(preparedHome);
  const browser = await ViewerPage.launch(chromium.path);
  const viewer = await ViewerPage.open(browser, server.url);
  try {
    await viewer.page.addInitScript(countColoured);
    const middle = await findMiddleSlice(server.url, colin);
    const rows: Row[] = [];
    for (let n = 1; n <= runs; n++) {
      const { clickToMaskMs, serverMs } = await measure(viewer, colin, middle);
      const row = n === 1 ? { run: n, firstMs: clickToMaskMs } : { run: n, clickToMaskMs, serverMs };
      tell(JSON.stringify(row));
      rows.push(row);
    }
    return rows;
  } finally {
    await browser.close();
    await server.stop();
  }
}

async function measure(viewer: ViewerPage, colin: SeriesAddress, middle: string) {
  const { page } = viewer;
  await viewer.openStudy(colin.studyInstanceUid);
  await viewer.chooseModel('brain-mr');
  await page.waitForLoadState('networkidle');
  await viewer.turnTo(middle);
  if (Number(await page.evaluate('countColoured()')) > 0)
    throw new Error('the viewport is coloured before there is a mask');
  await page.evaluate(watchMask);
  const stages = readStages(page);
  await viewer.press(/^Segment/);
  await page.waitForFunction('clickToMaskMs !== undefined', undefined, { timeout: 180_000, polling: 200 });
  const clickToMaskMs = Math.round(Number(await page.evaluate('clickToMaskMs')));
  await viewer.keepPicture('bench-viewer');
  return { clickToMaskMs, serverMs: await stages };
}

/** What the server says it took, all stages together. */
async function readStages(page: Page): Promise<number> {
  const response = await page.waitForResponse(async (candidate) => {
    if (!/\/v1\/inferences\/[0-9a-f-]{36}$/.test(candidate.url()) || candidate.request().method() !== 'GET')
      return false;
    return ((await candidate.json()) as { state: string }).state === 'done';
  });
  const { timingsMs } = (await response.json()) as { timingsMs: Readonly<Record<string, number>> };
  return Math.round(Object.values(timingsMs).reduce((sum, ms) => sum + ms, 0));
}

/** SOP Instance UID of the slice in the middle of the series. */
async function findMiddleSlice(url: string, { studyInstanceUid, seriesInstanceUid }: SeriesAddress): Promise<string> {
  type Instance = Readonly<Record<string, { readonly Value?: readonly (string | number)[] }>>;
  const path = `/dicom-web/studies/${studyInstanceUid}/series/${seriesInstanceUid}/instances`;
  const instances = await read<readonly Instance[]>(url, path);
  const numberOf = (instance: Instance) => Number(instance['00200013']?.Value?.[0]);
  const middle = instances.toSorted((a, b) => numberOf(a) - numberOf(b))[Math.floor(instances.length / 2)];
  return String(middle?.['00080018']?.Value?.[0]);
}

function report(rows: readonly Row[]): string {
  return spreadTable(rows, [
    ['clickToMaskMs', '**click on Segment to first mask pixels, ms**'],
    ['serverMs', "of it: the server's stages, ms"],
    ['firstMs', 'the same, the inference process started by it, ms'],
  ]);
}

export const viewer: Bench = {
  name: 'viewer',
  title: 'From click to mask in the viewer',
  about:
    'Stock OHIF in headless Chromium (software rendering) on the machine that also runs server, PACS and database. Colin27, 181 slices, open on its middle slice and fully loaded; brain-mr (full student). Time runs from the click event on Segment until coloured pixels stand in the canvas of the viewport, looked for every 25 ms.',
  run,
  report,
};
