import type { UncolClient } from '../api/client.ts';
import { decodeEnvelope } from '../api/envelope.ts';
import { followJob } from '../api/follow-job.ts';
import { ProblemError, toUserProblem } from '../api/problem.ts';
import { askToDiscard } from '../viewer/discard-dialog.ts';
import type { Host } from '../viewer/host.ts';
import { drawMask } from '../viewer/mask.ts';
import { findVolume, showDisplaySet } from '../viewer/volume.ts';
import type { Corrector } from './corrector.ts';
import { isBusy, type RunEvent, reduceRun, severalVolumes } from './run.ts';
import { addressOf, countWork, createSeriesState, type SeriesRef, type SeriesState } from './state.ts';
import type { StateHolder } from './state-holder.ts';

interface Trip {
  readonly abort: AbortController;
  jobId: string | null;
  isCancelled: boolean;
}

/** Runs Segment: asks the server, follows its job, draws the mask. One trip a series at a time. */
export class Segmenter {
  readonly #host: Host;
  readonly #client: UncolClient;
  readonly #holder: StateHolder;
  readonly #corrector: Corrector;
  readonly #trips = new Map<string, Trip>();

  constructor(host: Host, client: UncolClient, holder: StateHolder, corrector: Corrector) {
    this.#host = host;
    this.#client = client;
    this.#holder = holder;
    this.#corrector = corrector;
  }

  /**
   * Segments a series with its chosen model.
   *
   * @param chosen Volume of a series that holds several; one that is open already is shown as it is.
   * @returns True when a mask was drawn.
   */
  async segment(displaySetUid: string, chosen?: string): Promise<boolean> {
    const state = this.#holder.get().series[displaySetUid];
    if (state === undefined || isBusy(state.run) || state.modelName === null) return false;
    const volume = chosen ?? state.series.volume;
    if (chosen === undefined && state.volumes.length > 0) return false;
    const open = this.#findOpen(state.series, chosen);
    if (open !== undefined) {
      await this.#show(state, open);
      return false;
    }
    if (!(await this.#mayReplace(displaySetUid))) return false;
    const trip: Trip = { abort: new AbortController(), jobId: null, isCancelled: false };
    this.#trips.set(displaySetUid, trip);
    this.#send(displaySetUid, { type: 'start' });
    try {
      const isDrawn = await this.#travel(state, volume, trip);
      this.#send(displaySetUid, { type: isDrawn ? 'drawn' : 'stopped' });
      return isDrawn;
    } catch (error) {
      if (!trip.abort.signal.aborted) this.#send(displaySetUid, { type: 'fault', problem: toUserProblem(error) });
      return false;
    } finally {
      this.#trips.delete(displaySetUid);
    }
  }

  /** Stops the running Segment of a series; the server frees its worker. */
  async cancel(displaySetUid: string): Promise<void> {
    const trip = this.#trips.get(displaySetUid);
    if (trip === undefined || trip.isCancelled) return;
    trip.isCancelled = true;
    this.#send(displaySetUid, { type: 'cancel' });
    if (trip.jobId !== null) await this.#cancelJob(trip.jobId);
  }

  /** Lets go of all trips without a word: the reader has left. */
  reset(): void {
    for (const trip of this.#trips.values()) {
      trip.abort.abort();
      if (trip.jobId !== null) void this.#cancelJob(trip.jobId);
    }
    this.#trips.clear();
  }

  async #travel(state: SeriesState, volume: string | null, trip: Trip): Promise<boolean> {
    const { series, modelName } = state;
    const displaySetUid = series.displaySetInstanceUid;
    const accepted = await this.#client.startInference(
      {
        ...addressOf({ ...series, volume }),
        ...(modelName === null ? {} : { model: modelName }),
      },
      this.#host.libraries.cornerstone.utilities.uuidv4(),
    );
    trip.jobId = accepted.jobId;
    if (trip.isCancelled) {
      await this.#cancelJob(accepted.jobId);
      return false;
    }
    const onJob = (job: Parameters<Parameters<typeof followJob>[2]>[0]) =>
      this.#send(displaySetUid, { type: 'job', job });
    const job = await followJob(this.#client, accepted.jobId, onJob, trip.abort.signal);
    if (job.error?.code === severalVolumes) {
      this.#holder.patchSeries(displaySetUid, { volumes: listVolumes(job.error.seen) });
    }
    if (job.state !== 'done' || trip.isCancelled) return false;
    const [inference, bytes] = await Promise.all([
      this.#client.getInference(accepted.id),
      this.#client.getLabelmap(accepted.id),
    ]);
    if (!(await this.#mayReplace(displaySetUid)) || trip.abort.signal.aborted) return false;
    const envelope = decodeEnvelope(bytes);
    const shown = volume === null ? series : await this.#showVolume(state, volume, envelope.head.slices);
    const drawn = await drawMask(this.#host, shown, inference, envelope);
    this.#corrector.adopt(shown.displaySetInstanceUid, inference, envelope, drawn);
    return true;
  }

  /** Shows a volume alone, and lets it be known by its display set before the viewport tells of it. */
  async #showVolume(state: SeriesState, volume: string, slices: readonly string[]): Promise<SeriesRef> {
    const displaySetInstanceUid = findVolume(this.#host, state.series, volume, slices);
    const series = { ...state.series, volume, displaySetInstanceUid };
    const known = this.#holder.get().series;
    const { models, modelName } = state;
    const before = known[displaySetInstanceUid] ?? { ...createSeriesState(series), models, modelName };
    const after = { ...before, series, volumes: [] };
    this.#holder.set({ ...this.#holder.get(), series: { ...known, [displaySetInstanceUid]: after } });
    await showDisplaySet(this.#host, state.series, displaySetInstanceUid);
    return series;
  }

  async #show({ series }: SeriesState, open: SeriesRef): Promise<void> {
    try {
      await showDisplaySet(this.#host, series, open.displaySetInstanceUid);
    } catch (error) {
      this.#holder.patchSeries(series.displaySetInstanceUid, {
        run: { phase: 'failed', problem: toUserProblem(error) },
      });
    }
  }

  /** The volume of a series that was shown alone before. */
  #findOpen({ seriesInstanceUid }: SeriesRef, volume: string | undefined): SeriesRef | undefined {
    const open = Object.values(this.#holder.get().series).map(({ series }) => series);
    return open.find((series) => series.seriesInstanceUid === seriesInstanceUid && series.volume === volume);
  }

  async #mayReplace(displaySetUid: string): Promise<boolean> {
    this.#corrector.compareNow(displaySetUid);
    const mask = this.#holder.get().series[displaySetUid]?.mask;
    if (!mask?.isUnsubmitted) return true;
    return askToDiscard(countWork(mask), 'Segment again');
  }

  async #cancelJob(jobId: string): Promise<void> {
    try {
      await this.#client.cancelJob(jobId);
    } catch (error) {
      // The job may have ended meanwhile; then there is nothing to stop and the trip ends by itself.
      if (!(error instanceof ProblemError)) throw error;
    }
  }

  #send(displaySetUid: string, event: RunEvent): void {
    const state = this.#holder.get().series[displaySetUid];
    if (state !== undefined) this.#holder.patchSeries(displaySetUid, { run: reduceRun(state.run, event) });
  }
}

function listVolumes({ volumes }: Readonly<Record<string, unknown>>): readonly string[] {
  return Array.isArray(volumes) ? volumes.map(String) : [];
}
