import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import type { MaskBySlice } from './truth.ts';

const artifacts = fileURLToPath(new URL('../artifacts/', import.meta.url));
const flags = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
];

/** What the host puts on its window, as far as these tests read and write masks like another tool of the viewer. */
interface HostWindow {
  commandsManager: { run(name: string, options: object, context: string): unknown };
  cornerstone: {
    cache: { getImage(id: string): HostImage | undefined };
    metaData: { get(type: string, id: string): { SOPInstanceUID: string; NumberOfFrames?: number } };
  };
  cornerstoneTools: {
    segmentation: {
      state: { getSegmentations(): { segmentationId: string; representationData: HostRepresentations }[] };
      triggerSegmentationEvents: { triggerSegmentationDataModified(id: string): void };
    };
  };
}

interface HostRepresentations {
  Labelmap: { imageIds: string[] };
}

interface HostImage {
  referencedImageId: string;
  voxelManager: { getScalarData(): Uint8Array; setScalarData(data: Uint8Array): void };
}

/** Stock OHIF in a real browser, as a reader sees it. */
export class ViewerPage {
  readonly page: Page;
  readonly panel: Locator;
  /** Faults that the page reported. */
  readonly faults: string[] = [];
  readonly #url: string;

  private constructor(page: Page, url: string) {
    this.page = page;
    this.#url = url;
    this.panel = page.getByTestId('uncol-panel');
    page.on('pageerror', (error) => this.faults.push(error.message));
    // Waiting for a mask on two busy cores takes longer than the default of 30 s.
    page.setDefaultTimeout(90_000);
  }

  static launch(executablePath: string): Promise<Browser> {
    return chromium.launch({ executablePath, args: flags });
  }

  /** A reader's own browser context. @param authorization of the reader, sent with every request. */
  static async open(browser: Browser, url: string, authorization?: string): Promise<ViewerPage> {
    const page = await browser.newPage({
      viewport: { width: 1500, height: 950 },
      ...(authorization === undefined ? {} : { extraHTTPHeaders: { authorization } }),
    });
    // The transpiler of these tests names nested functions through a helper that the page lacks.
    await page.addInitScript('globalThis.__name = (value) => value;');
    await page.addInitScript(
      "globalThis.renderedImages = 0; addEventListener('CORNERSTONE_IMAGE_RENDERED', () => renderedImages++, true);",
    );
    await mkdir(artifacts, { recursive: true });
    return new ViewerPage(page, url);
  }

  async openStudyList(): Promise<void> {
    await this.page.goto(`${this.#url}/`);
  }

  /** Opens a study in our mode and waits until an image and the panel are there. */
  async openStudy(studyInstanceUid: string): Promise<void> {
    await this.page.goto(`${this.#url}/uncol?StudyInstanceUIDs=${studyInstanceUid}`);
    await this.page.waitForFunction('renderedImages > 0');
    await this.panel.waitFor();
  }

  /** Opens a study in place of the one on display, as the viewer itself moves on, and waits likewise. */
  async openStudyInPlace(studyInstanceUid: string): Promise<void> {
    await this.page.evaluate('renderedImages = 0');
    const to = `/uncol?StudyInstanceUIDs=${studyInstanceUid}`;
    await this.page.evaluate(`commandsManager.run('navigateHistory', ${JSON.stringify({ to })})`);
    await this.page.waitForFunction('renderedImages > 0');
    await this.panel.waitFor();
  }

  /** Brings our panel to the front. */
  async showPanel(): Promise<void> {
    await this.page.locator('[data-cy="uncol-btn"]').click();
    await this.panel.waitFor();
  }

  /** The study in the address. */
  get studyInstanceUid(): string {
    return new URL(this.page.url()).searchParams.get('StudyInstanceUIDs') ?? '';
  }

  /** Opens the next case and waits until it is there. */
  async openNextCase(): Promise<void> {
    const before = this.studyInstanceUid;
    await this.page.evaluate('renderedImages = 0');
    await this.press(/^Next case/);
    await this.page.waitForURL((url) => url.searchParams.get('StudyInstanceUIDs') !== before);
    await this.page.waitForFunction('renderedImages > 0');
    await this.panel.getByText(/^version \d+ in service$/).waitFor();
  }

  /** Chooses a model by its name in the registry. */
  async chooseModel(name: string): Promise<void> {
    await this.panel.getByLabel('Models that fit this series').selectOption({ value: name });
  }

  /** Presses the button with this name in the panel. */
  async press(name: string | RegExp): Promise<void> {
    await this.panel.getByRole('button', { name }).click();
  }

  /** Presses Segment and waits for the mask; fails with what the panel says instead, or warns of beside it. */
  async segment(): Promise<void> {
    await this.drawMask();
    const warning = this.panel.getByRole('alert');
    if (await warning.isVisible()) throw new Error(`Segment warns: ${await warning.textContent()}`);
  }

  /** The same for an image that the model is not made for, of which the panel warns. */
  async drawMask(): Promise<void> {
    await this.press(/^Segment/);
    const mask = this.panel.getByTestId('mask-model');
    const problem = this.panel.getByRole('alert');
    await this.panel.getByTestId('segment-progress').waitFor({ state: 'detached', timeout: 180_000 });
    await mask.or(problem).first().waitFor();
    if (!(await mask.isVisible())) throw new Error(`Segment failed: ${await problem.textContent()}`);
  }

  /** Waits until every slice of the series in the active viewport is in memory. */
  async waitForAllSlices(timeout = 90_000): Promise<void> {
    await this.page.waitForFunction(
      `(() => {
        const { viewportGridService, cornerstoneViewportService } = services;
        const viewport = cornerstoneViewportService.getCornerstoneViewport(viewportGridService.getActiveViewportId());
        const imageIds = viewport.getImageIds();
        return imageIds.length > 0 && imageIds.every((imageId) => cornerstone.cache.getImage(imageId) !== undefined);
      })()`,
      undefined,
      { timeout, polling: 200 },
    );
  }

  /**
   * Has the viewer fetch every slice of the active viewport, as turning to each would: what it fetches by itself ends where
   * it replaces the viewport meanwhile.
   */
  async fetchAllSlices(): Promise<void> {
    await this.page.evaluate(
      `(async () => {
        const { viewportGridService, cornerstoneViewportService } = services;
        const viewport = cornerstoneViewportService.getCornerstoneViewport(viewportGridService.getActiveViewportId());
        const load = (imageId) => cornerstone.imageLoader.loadAndCacheImage(imageId);
        await Promise.all(viewport.getImageIds().map(load));
      })()`,
    );
  }

  /** Saves the newest segmentation as a file with the viewer's own means, by default a LABELMAP SEG. */
  async saveMask(path: string): Promise<void> {
    const saved = this.page.waitForEvent('download');
    await this.page.evaluate(() => {
      const { commandsManager, cornerstoneTools } = globalThis as unknown as HostWindow;
      const segmentationId = cornerstoneTools.segmentation.state.getSegmentations().at(-1)?.segmentationId;
      commandsManager.run('downloadSegmentation', { segmentationId }, 'SEGMENTATION');
    });
    await (await saved).saveAs(path);
  }

  /** One stroke of the active tool, `from` and `to` as shares of the viewport's width and height. */
  async stroke(from: readonly [number, number], to: readonly [number, number]): Promise<void> {
    const box = await this.page.locator('canvas').first().boundingBox();
    if (box === null) throw new Error('no viewport on the page');
    const steps = 8;
    for (let step = 0; step <= steps; step++) {
      const share = step / steps;
      const x = box.x + box.width * (from[0] + (to[0] - from[0]) * share);
      const y = box.y + box.height * (from[1] + (to[1] - from[1]) * share);
      await this.page.mouse.move(x, y);
      if (step === 0) await this.page.mouse.down();
      await this.page.waitForTimeout(40);
    }
    await this.page.mouse.up();
  }

  /** Reloads the page as the browser's button does, says no to its question; answers the kind of the question. */
  async tryToReload(): Promise<string> {
    const asked = this.page.waitForEvent('dialog');
    const reloaded = this.page.reload().catch(() => undefined);
    const question = await asked;
    await question.dismiss();
    await reloaded;
    return question.type();
  }

  /** The newest segmentation of the viewer, read from its own labelmap, by source image. */
  async readMask(): Promise<MaskBySlice> {
    const slices = await this.page.evaluate(() => {
      const { cornerstone, cornerstoneTools } = globalThis as unknown as HostWindow;
      const newest = cornerstoneTools.segmentation.state.getSegmentations().at(-1);
      return (newest?.representationData.Labelmap.imageIds ?? []).map((imageId) => {
        const image = cornerstone.cache.getImage(imageId);
        if (image === undefined) throw new Error('a slice of the labelmap is not in memory');
        const { SOPInstanceUID, NumberOfFrames = 1 } = cornerstone.metaData.get('instance', image.referencedImageId);
        const frame = /\/frames\/(\d+)/.exec(image.referencedImageId)?.[1];
        let text = '';
        for (const voxel of image.voxelManager.getScalarData()) text += String.fromCharCode(voxel);
        return [NumberOfFrames > 1 ? `${SOPInstanceUID}:${frame}` : SOPInstanceUID, btoa(text)] as const;
      });
    });
    return new Map(slices.map(([uid, base64]) => [uid, new Uint8Array(Buffer.from(base64, 'base64'))]));
  }

  /** Writes voxels into the newest segmentation as any editing tool of the viewer does. */
  async writeMask(mask: MaskBySlice): Promise<void> {
    const slices = [...mask].map(([uid, voxels]) => [uid, Buffer.from(voxels).toString('base64')] as const);
    await this.page.evaluate((given) => {
      const { cornerstone, cornerstoneTools } = globalThis as unknown as HostWindow;
      const bySlice = new Map(given);
      const newest = cornerstoneTools.segmentation.state.getSegmentations().at(-1);
      if (newest === undefined) throw new Error('there is no segmentation to edit');
      for (const imageId of newest.representationData.Labelmap.imageIds) {
        const image = cornerstone.cache.getImage(imageId);
        if (image === undefined) throw new Error('a slice of the labelmap is not in memory');
        const { SOPInstanceUID, NumberOfFrames = 1 } = cornerstone.metaData.get('instance', image.referencedImageId);
        const frame = /\/frames\/(\d+)/.exec(image.referencedImageId)?.[1];
        const base64 = bySlice.get(NumberOfFrames > 1 ? `${SOPInstanceUID}:${frame}` : SOPInstanceUID);
        if (base64 === undefined) continue;
        image.voxelManager.setScalarData(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
      }
      cornerstoneTools.segmentation.triggerSegmentationEvents.triggerSegmentationDataModified(newest.segmentationId);
    }, slices);
  }

  /** Shows the slice of a source image in the viewport. */
  async turnTo(sopInstanceUid: string): Promise<void> {
    await this.page.evaluate(async (wanted) => {
      const { cornerstone, services } = globalThis as unknown as HostWindow & HostServices;
      const { viewportGridService, cornerstoneViewportService } = services;
      const viewport = cornerstoneViewportService.getCornerstoneViewport(viewportGridService.getActiveViewportId());
      const index = viewport
        .getImageIds()
        .findIndex((imageId) => cornerstone.metaData.get('instance', imageId).SOPInstanceUID === wanted);
      await viewport.setImageIdIndex(index);
    }, sopInstanceUid);
    await this.page.waitForTimeout(300);
  }

  /** Keeps a picture of the page as `test/artifacts/<name>.png`. */
  async keepPicture(name: string): Promise<void> {
    await this.page.screenshot({ path: join(artifacts, `${name}.png`) });
  }
}

interface HostServices {
  services: {
    viewportGridService: { getActiveViewportId(): string };
    cornerstoneViewportService: {
      getCornerstoneViewport(id: string): { getImageIds(): string[]; setImageIdIndex(index: number): Promise<unknown> };
    };
  };
}
