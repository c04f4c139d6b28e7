import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOrthanc } from '../../server/src/setup/orthanc.ts';
import { createPacs } from '../../server/src/study/dicomweb.ts';
import type { Pacs } from '../../server/src/study/pacs.ts';
import { type RunningProduct, startProduct } from './harness.ts';
import { ViewerPage } from './viewer-page.ts';

/** The product on a PACS of its own, empty at first, and a reader's browser. */
export interface ViewerSite {
  readonly pacs: Pacs;
  readonly product: RunningProduct;
  readonly viewer: ViewerPage;
  close(): Promise<void>;
}

/**
 * Starts Orthanc, the product on it, and Chromium. Nothing is segmented ahead and no round starts by itself.
 *
 * @param chromiumPath program of the browser.
 */
export async function openSite(chromiumPath: string): Promise<ViewerSite> {
  const ends: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const home = await mkdtemp(join(tmpdir(), 'uncol-site-'));
    ends.push(() => rm(home, { recursive: true, force: true }));
    const orthanc = await startOrthanc({ home, log: () => undefined });
    ends.push(() => orthanc.stop());
    const pacs = createPacs({ url: orthanc.url, credentials: orthanc.credentials, idleSeconds: 30, retries: 1 });
    ends.push(() => pacs.close());
    const file = join(home, 'credentials.json');
    await writeFile(file, JSON.stringify(orthanc.credentials), { mode: 0o600 });
    const product = await startProduct({
      UNCOL_PACS_URL: orthanc.url,
      UNCOL_PACS_CREDENTIALS_FILE: file,
      UNCOL_WORKLIST_AHEAD: '0',
      UNCOL_CORRECTIONS_PER_ROUND: '1000',
    });
    ends.push(() => product.stop());
    const browser = await ViewerPage.launch(chromiumPath);
    ends.push(() => browser.close());
    return { pacs, product, viewer: await ViewerPage.open(browser, product.url), close };
  } catch (error) {
    await close();
    throw error;
  }
}
