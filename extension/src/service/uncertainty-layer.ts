import type { UncolClient } from '../api/client.ts';
import type { LabelmapHead } from '../api/contract.ts';
import { decodeEnvelope, type Envelope } from '../api/envelope.ts';
import { toUserProblem } from '../api/problem.ts';
import { findLeastSure } from '../correction/doubt.ts';
import type { Host } from '../viewer/host.ts';
import { activate } from '../viewer/labelmap-layer.ts';
import { turnTo } from '../viewer/slices.ts';
import { drawUncertainty } from '../viewer/uncertainty.ts';
import type { LayerState } from './state.ts';
import type { StateHolder } from './state-holder.ts';

/** The map of one series' mask, and the layer it is drawn on while it is shown. */
interface Shown {
  readonly inferenceId: string;
  readonly map: Promise<Envelope<LabelmapHead>>;
  segmentationId: string | null;
}

/** Shows where the model was unsure, as a layer that is there only while it is wanted. */
export class UncertaintyLayer {
  readonly #host: Host;
  readonly #client: UncolClient;
  readonly #holder: StateHolder;
  readonly #shown = new Map<string, Shown>();

  constructor(host: Host, client: UncolClient, holder: StateHolder) {
    this.#host = host;
    this.#client = client;
    this.#holder = holder;
  }

  /** Shows the layer, or takes it away. */
  async toggle(displaySetUid: string): Promise<void> {
    const phase = this.#maskOf(displaySetUid)?.layer.phase;
    if (phase === undefined || phase === 'loading') return;
    if (phase === 'on') {
      this.#remove(displaySetUid);
      return;
    }
    this.#setLayer(displaySetUid, { phase: 'loading' });
    await this.#with(displaySetUid, async (shown) => {
      const { series, mask } = this.#holder.get().series[displaySetUid] ?? {};
      if (!series || !mask) return;
      const segmentationId = await drawUncertainty(this.#host, series, mask.inference, await shown.map);
      if (this.#shown.get(displaySetUid) !== shown) {
        // The mask was replaced while its map was on the way.
        this.#host.services.segmentationService.remove(segmentationId);
        return;
      }
      shown.segmentationId = segmentationId;
      // The host makes the newest segmentation the one that is painted on.
      activate(this.#host, series, mask.segmentationId);
      this.#setLayer(displaySetUid, { phase: 'on' });
    });
  }

  /** Turns to the slice of which the model is least sure. */
  async goToLeastSure(displaySetUid: string): Promise<void> {
    await this.#with(displaySetUid, async ({ map }) => {
      const slice = findLeastSure(await map);
      const series = this.#holder.get().series[displaySetUid]?.series;
      if (slice !== null && series !== undefined) await turnTo(this.#host, series, slice);
      if (slice === null) {
        this.#host.services.uiNotificationService.show({
          title: 'Sure everywhere',
          message: 'The model is sure of every slice. That does not mean that it is right.',
          type: 'info',
        });
      }
    });
  }

  /** A segmentation was removed in the viewer: this layer, or the mask that it belongs to. */
  readonly noteRemoval = (segmentationId: string): void => {
    for (const [displaySetUid, shown] of this.#shown) {
      const mask = this.#maskOf(displaySetUid);
      if (shown.segmentationId === segmentationId) {
        shown.segmentationId = null;
        this.#setLayer(displaySetUid, { phase: 'off' });
      }
      if (mask?.inference.id !== shown.inferenceId) this.#forget(displaySetUid);
    }
  };

  /** Forgets every map; the host removes its segmentations itself when a mode ends. */
  reset(): void {
    this.#shown.clear();
  }

  /** Does something with the map of the mask on display, which is fetched once. */
  async #with(displaySetUid: string, work: (shown: Shown) => Promise<void>): Promise<void> {
    const inferenceId = this.#maskOf(displaySetUid)?.inference.id;
    if (inferenceId === undefined) return;
    const known = this.#shown.get(displaySetUid);
    const shown: Shown =
      known?.inferenceId === inferenceId
        ? known
        : { inferenceId, map: this.#client.getUncertainty(inferenceId).then(decodeEnvelope), segmentationId: null };
    this.#shown.set(displaySetUid, shown);
    try {
      await work(shown);
    } catch (error) {
      this.#forget(displaySetUid);
      this.#setLayer(displaySetUid, { phase: 'failed', problem: toUserProblem(error) });
    }
  }

  #remove(displaySetUid: string): void {
    const segmentationId = this.#shown.get(displaySetUid)?.segmentationId;
    if (segmentationId) this.#host.services.segmentationService.remove(segmentationId);
  }

  #forget(displaySetUid: string): void {
    this.#remove(displaySetUid);
    this.#shown.delete(displaySetUid);
  }

  #maskOf(displaySetUid: string) {
    return this.#holder.get().series[displaySetUid]?.mask ?? undefined;
  }

  #setLayer(displaySetUid: string, layer: LayerState): void {
    const mask = this.#maskOf(displaySetUid);
    if (mask !== undefined) this.#holder.patchSeries(displaySetUid, { mask: { ...mask, layer } });
  }
}
