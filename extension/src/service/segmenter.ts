import type { UncolClient } from '../api/client.ts';
import { decodeEnvelope } from '../api/envelope.ts';
import { followJob } from '../api/follow-job.ts';
import { ProblemError, toUserProblem } from '../api/problem.ts';
import { askToDiscard } from '../viewer/discard-dialog.ts';
import type { Host } from '../viewer/host.ts';
import { drawMask } from '../viewer/mask.ts';
import type { Corrector } from './corrector.ts';
import { isBusy, type RunEvent, reduceRun } from './run.ts';
import { countWork, type SeriesState } from './state.ts';
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

  /** Segments a series with its chosen model. @returns True when a mask was drawn. */
  async segment(seriesUid: string): Promise<boolean> {
    const state = this.#holder.get().series[seriesUid];
    if (state === undefined || isBusy(state.run) || state.modelName === null) return false;
    if (!(await this.#mayReplace(seriesUid))) return false;
    const trip: Trip = { abort: new AbortController(), jobId: null, isCancelled: false };
    this.#trips.set(seriesUid, trip);
    this.#send(seriesUid, { type: 'start' });
    try {
      const isDrawn = await this.#travel(state, trip);
      this.#send(seriesUid, { type: isDrawn ? 'drawn' : 'stopped' });
      return isDrawn;
    } catch (error) {
      if (!trip.abort.signal.aborted) this.#send(seriesUid, { type: 'fault', problem: toUserProblem(error) });
      return false;
    } finally {
      this.#trips.delete(seriesUid);
    }
  }

  /** Stops the running Segment of a series; the server frees its worker. */
  async cancel(seriesUid: string): Promise<void> {
    const trip = this.#trips.get(seriesUid);
    if (trip === undefined || trip.isCancelled) return;
    trip.isCancelled = true;
    this.#send(seriesUid, { type: 'cancel' });
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

  async #travel({ series, modelName }: SeriesState, trip: Trip): Promise<boolean> {
    const seriesUid = series.seriesInstanceUid;
    const accepted = await this.#client.startInference(
      {
        studyInstanceUid: series.studyInstanceUid,
        seriesInstanceUid: seriesUid,
        ...(modelName === null ? {} : { model: modelName }),
      },
      this.#host.libraries.cornerstone.utilities.uuidv4(),
    );
    trip.jobId = accepted.jobId;
    if (trip.isCancelled) {
      await this.#cancelJob(accepted.jobId);
      return false;
    }
    const onJob = (job: Parameters<Parameters<typeof followJob>[2]>[0]) => this.#send(seriesUid, { type: 'job', job });
    const job = await followJob(this.#client, accepted.jobId, onJob, trip.abort.signal);
    if (job.state !== 'done' || trip.isCancelled) return false;
    const [inference, bytes] = await Promise.all([
      this.#client.getInference(accepted.id),
      this.#client.getLabelmap(accepted.id),
    ]);
    if (!(await this.#mayReplace(seriesUid)) || trip.abort.signal.aborted) return false;
    const envelope = decodeEnvelope(bytes);
    const drawn = await drawMask(this.#host, series, inference, envelope);
    this.#corrector.adopt(seriesUid, inference, envelope, drawn);
    return true;
  }

  async #mayReplace(seriesUid: string): Promise<boolean> {
    this.#corrector.compareNow(seriesUid);
    const mask = this.#holder.get().series[seriesUid]?.mask;
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

  #send(seriesUid: string, event: RunEvent): void {
    const state = this.#holder.get().series[seriesUid];
    if (state !== undefined) this.#holder.patchSeries(seriesUid, { run: reduceRun(state.run, event) });
  }
}
