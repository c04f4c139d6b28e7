import type { UncolClient } from '../api/client.ts';
import type { Job, Round } from '../api/contract.ts';
import { followJob, pause } from '../api/follow-job.ts';
import { toUserProblem } from '../api/problem.ts';
import { isRoundActive } from './state.ts';
import type { StateHolder } from './state-holder.ts';

const IDLE_MS = 10_000;
const AFTER_JOB_MS = 500;
/** Shown at most; the command line has them all. */
const historyRounds = 20;

/** Keeps the learning state of one model up to date: the pool, the newest round, its job while it runs. */
export class Learner {
  readonly #client: UncolClient;
  readonly #holder: StateHolder;
  readonly #onRoundEnd: (round: Round) => void;
  #model: string | null = null;
  #abort = new AbortController();
  #wake = new AbortController();

  /** @param onRoundEnd Called when a round that was seen running has ended: the version in service may be another. */
  constructor(client: UncolClient, holder: StateHolder, onRoundEnd: (round: Round) => void) {
    this.#client = client;
    this.#holder = holder;
    this.#onRoundEnd = onRoundEnd;
  }

  /** Watches this model instead of the one before; null watches none. */
  watch(model: string | null): void {
    if (model === this.#model) return;
    this.#abort.abort();
    this.#model = model;
    this.#abort = new AbortController();
    if (model !== null) void this.#run(model, this.#abort.signal);
  }

  /** Looks again now, e.g. because a correction was just handed in. */
  look(): void {
    this.#wake.abort();
    this.#renewHistory();
  }

  /** Asks for all that has been. */
  async loadHistory(): Promise<void> {
    const model = this.#model;
    if (model === null) return;
    const client = this.#client;
    try {
      const [rounds, quality, all] = await Promise.all([
        client.listRounds(model, historyRounds),
        client.getQuality(model),
        client.listVersions(),
      ]);
      const versions = all.filter(({ name }) => name === model).sort((a, b) => b.version - a.version);
      this.#holder.patchLearning(model, { history: { status: 'ready', value: { rounds, quality, versions } } });
    } catch (error) {
      this.#holder.patchLearning(model, { history: { status: 'failed', problem: toUserProblem(error) } });
    }
  }

  /** What is on display, or has been, is asked for again. */
  #renewHistory(): void {
    if (this.#model !== null && this.#holder.get().learning[this.#model]?.history) void this.loadHistory();
  }

  async #run(model: string, signal: AbortSignal): Promise<void> {
    let isRunning = false;
    while (!signal.aborted) {
      let waitMs = IDLE_MS;
      try {
        const [pool, [round = null]] = await Promise.all([
          this.#client.getPool(model),
          this.#client.listRounds(model, 1),
        ]);
        if (signal.aborted) return;
        this.#holder.patchLearning(model, {
          ...{ pool, round, problem: null },
          ...(isRoundActive(round) ? {} : { job: null }),
        });
        if (isRunning && round !== null && !isRoundActive(round)) {
          this.#onRoundEnd(round);
          this.#renewHistory();
        }
        isRunning = isRoundActive(round);
        if (round !== null && isRunning) {
          await this.#follow(model, round, signal);
          waitMs = AFTER_JOB_MS;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#holder.patchLearning(model, { problem: toUserProblem(error) });
      }
      await this.#sleep(waitMs, signal);
    }
  }

  /** The job tells how far a round is; what it learns from stands in the round itself, once that is gathered. */
  async #follow(model: string, round: Round, signal: AbortSignal): Promise<void> {
    let stage = '';
    const onJob = (job: Job) => {
      // While a candidate is checked the server sends no loss; the last one stays in sight.
      const before = this.#holder.get().learning[model]?.job;
      const figures = before?.id === job.id ? { ...before.figures, ...job.figures } : job.figures;
      this.#holder.patchLearning(model, { job: { ...job, figures } });
      if (job.stage === stage) return;
      stage = job.stage;
      void this.#client.getRound(round.id).then(
        (now) => !signal.aborted && this.#holder.patchLearning(model, { round: now }),
        () => undefined,
      );
    };
    await followJob(this.#client, round.jobId, onJob, signal);
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    await pause(ms, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
  }
}
