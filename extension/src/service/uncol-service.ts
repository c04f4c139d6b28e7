import { UncolClient } from '../api/client.ts';
import type { Candidate, Round } from '../api/contract.ts';
import { toUserProblem, type UserProblem } from '../api/problem.ts';
import { panelId } from '../id.ts';
import { findActiveSeries } from '../viewer/active-series.ts';
import type { Host } from '../viewer/host.ts';
import { guardLeaving, type LeaveGuard } from '../viewer/leave-guard.ts';
import { listenToSlices } from '../viewer/slices.ts';
import { Corrector } from './corrector.ts';
import type { Decision } from './decisions.ts';
import { Excluder } from './exclusion.ts';
import { Importer } from './importer.ts';
import { Learner } from './learner.ts';
import { Segmenter } from './segmenter.ts';
import { SliceTicker } from './slice-ticker.ts';
import { activeSeries, countWork, createSeriesState, emptyState, pickModel, unsubmittedSeries } from './state.ts';
import { StateHolder } from './state-holder.ts';
import { UncertaintyLayer } from './uncertainty-layer.ts';
import { describeVerdict } from './words.ts';
import { WorklistReader } from './worklist.ts';

/** Tools of the host's own toolbox that the panel offers. */
export type EditTool = 'CircularBrush' | 'CircularEraser';

/** The only stateful object of the extension: the panel draws its state and calls its verbs. */
export class UncolService {
  readonly holder = new StateHolder();
  readonly worklist: WorklistReader;
  readonly slices: SliceTicker;
  readonly exclusions: Excluder;
  readonly imports: Importer;
  readonly #host: Host;
  readonly #client: UncolClient;
  readonly #corrector: Corrector;
  readonly #segmenter: Segmenter;
  readonly #learner: Learner;
  readonly #layer: UncertaintyLayer;
  #stops: (() => void)[] = [];
  #guard: LeaveGuard | null = null;

  constructor(host: Host, root: string) {
    this.#host = host;
    this.#client = new UncolClient({
      root,
      authorization: () => host.services.userAuthenticationService.getAuthorizationHeader() ?? {},
    });
    this.#corrector = new Corrector(host, this.#client, this.holder);
    this.#segmenter = new Segmenter(host, this.#client, this.holder, this.#corrector);
    this.#layer = new UncertaintyLayer(host, this.#client, this.holder);
    this.slices = new SliceTicker(host, this.holder, (displaySetUid) => this.#corrector.compareNow(displaySetUid));
    const noteLabels = () => {
      this.#learner.look();
      void this.worklist.refresh();
    };
    this.exclusions = new Excluder(this.#client, this.holder, noteLabels);
    this.imports = new Importer(this.#client, this.holder, noteLabels);
    this.worklist = new WorklistReader(host, this.#client, this.holder, () => this.#guard);
    this.#learner = new Learner(this.#client, this.holder, (round) => this.#endRound(round));
  }

  /** Starts to follow the viewer; called when our mode is entered. */
  start(): void {
    this.stop();
    const { viewportGridService, segmentationService } = this.#host.services;
    const follow = () => this.#followViewport();
    this.#listen(viewportGridService, 'ACTIVE_VIEWPORT_ID_CHANGED', follow);
    this.#listen(viewportGridService, 'GRID_STATE_CHANGED', follow);
    this.#listen(viewportGridService, 'VIEWPORTS_READY', () => {
      follow();
      this.worklist.noteViewports();
    });
    this.#listen(segmentationService, 'SEGMENTATION_DATA_MODIFIED', this.#corrector.noteChange);
    this.#listen(segmentationService, 'SEGMENTATION_REMOVED', (segmentationId) => {
      this.#corrector.noteRemoval(segmentationId);
      this.#layer.noteRemoval(segmentationId);
    });
    this.#stops.push(listenToSlices(() => this.slices.follow()));
    const guard = guardLeaving({
      countUnsubmitted: () => {
        for (const { series } of Object.values(this.holder.get().series)) {
          this.#corrector.compareNow(series.displaySetInstanceUid);
        }
        return unsubmittedSeries(this.holder.get()).reduce((count, { mask }) => count + countWork(mask), 0);
      },
    });
    this.#guard = guard;
    this.#stops.push(guard.stop);
    this.#followViewport();
  }

  /** Lets go of everything of the study; called when the mode is left. */
  stop(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#guard = null;
    this.#segmenter.reset();
    this.#corrector.reset();
    this.#layer.reset();
    this.#learner.watch(null);
    // What the reader works through goes on in the next study.
    this.holder.set({ ...emptyState, worklist: this.holder.get().worklist });
  }

  /**
   * Segments the series of the active viewport and comes back to our panel, which the host hides meanwhile.
   *
   * @param volume Which, of a series that holds several.
   */
  async segment(volume?: string): Promise<void> {
    const state = activeSeries(this.holder.get());
    if (state === null || state.modelName === null) {
      this.#host.services.uiNotificationService.show({
        title: 'Nothing to segment here',
        message: 'Select a viewport that shows an image series for which a model is in service.',
        type: 'info',
      });
      return;
    }
    this.showPanel();
    if (await this.#segmenter.segment(state.series.displaySetInstanceUid, volume)) this.showPanel();
  }

  async cancel(): Promise<void> {
    const state = activeSeries(this.holder.get());
    if (state !== null) await this.#segmenter.cancel(state.series.displaySetInstanceUid);
  }

  chooseModel(name: string): void {
    const state = activeSeries(this.holder.get());
    if (state === null) return;
    this.holder.patchSeries(state.series.displaySetInstanceUid, { modelName: name, importing: { phase: 'none' } });
    this.#learner.watch(name);
    void this.worklist.refresh();
    void this.exclusions.look();
  }

  /** Shows where the model was unsure, or takes that away. */
  async toggleUncertainty(): Promise<void> {
    const state = activeSeries(this.holder.get());
    if (state !== null) await this.#layer.toggle(state.series.displaySetInstanceUid);
  }

  /** Turns to the slice of which the model is least sure. */
  async goToLeastSure(): Promise<void> {
    const state = activeSeries(this.holder.get());
    if (state !== null) await this.#layer.goToLeastSure(state.series.displaySetInstanceUid);
  }

  /** Hands in the edits of the active series. */
  submit(): Promise<void> {
    return this.#handIn('edited');
  }

  /** Hands in the unchanged mask of the active series, every slice checked. */
  accept(): Promise<void> {
    return this.#handIn('accepted');
  }

  /** Takes back what was last handed in for the active series. */
  async withdraw(): Promise<void> {
    const state = activeSeries(this.holder.get());
    if (state === null) return;
    await this.#corrector.withdraw(state.series.displaySetInstanceUid);
    this.#learner.look();
  }

  /** Picks a tool of the host for editing, on the mask of the active series. */
  pickTool(toolName: EditTool): void {
    const { services, commands } = this.#host;
    const mask = activeSeries(this.holder.get())?.mask;
    if (mask) {
      const viewportId = services.viewportGridService.getActiveViewportId();
      services.segmentationService.setActiveSegmentation(viewportId, mask.segmentationId);
    }
    commands.run('setToolActiveToolbar', { toolName });
  }

  undo(): void {
    this.#host.commands.run('undo');
  }

  redo(): void {
    this.#host.commands.run('redo');
  }

  /** Asks the server again which models fit the active series. */
  async retryModels(): Promise<void> {
    const state = activeSeries(this.holder.get());
    if (state === null) return;
    this.holder.patchSeries(state.series.displaySetInstanceUid, { models: { status: 'loading' } });
    await this.#loadModels(state.series.displaySetInstanceUid);
  }

  /** Carries out what an administrator decided about the model of the active series. @returns what went wrong, or null. */
  async decide(decision: Decision, reason: string): Promise<UserProblem | null> {
    const model = activeSeries(this.holder.get())?.modelName;
    if (!model) return null;
    try {
      await this.#client.decide(model, decision, reason);
      return null;
    } catch (error) {
      return toUserProblem(error);
    } finally {
      this.#learner.look();
      this.#reloadModels();
    }
  }

  /** Asks for all rounds and versions of the model of the active series. */
  loadHistory(): Promise<void> {
    return this.#learner.loadHistory();
  }

  /** What a round tried. */
  loadCandidate(roundId: string): Promise<Candidate> {
    return this.#client.getCandidate(roundId);
  }

  /** The picture of a case of a round, to be shown from this page. */
  loadPicture(roundId: string, subject: string): Promise<Blob> {
    return this.#client.getPicture(roundId, subject);
  }

  /** Brings our panel to the front. */
  showPanel(): void {
    this.#host.services.panelService.activatePanel(panelId, true);
  }

  async #handIn(kind: 'edited' | 'accepted'): Promise<void> {
    const state = activeSeries(this.holder.get());
    if (state === null) return;
    if (!(await this.#corrector.submit(state.series.displaySetInstanceUid, kind))) return;
    this.#learner.look();
    void this.worklist.refresh();
  }

  #listen(service: ohif.PubSub, event: string, react: (segmentationId: string) => void): void {
    const name = service.EVENTS[event];
    if (name === undefined) throw new Error(`This version of the viewer has no event ${event}.`);
    const subscription = service.subscribe(name, (data: { readonly segmentationId?: string }) =>
      react(data?.segmentationId ?? ''),
    );
    this.#stops.push(() => subscription.unsubscribe());
  }

  #followViewport(): void {
    const series = findActiveSeries(this.#host);
    const state = this.holder.get();
    const uid = series?.displaySetInstanceUid ?? null;
    if (series !== null && state.series[series.displaySetInstanceUid] === undefined) {
      this.holder.set({
        ...state,
        activeDisplaySetUid: uid,
        series: { ...state.series, [series.displaySetInstanceUid]: createSeriesState(series) },
      });
      void this.#loadModels(series.displaySetInstanceUid);
    } else if (uid !== state.activeDisplaySetUid) {
      this.holder.set({ ...state, activeDisplaySetUid: uid });
      void this.exclusions.look();
    }
    this.slices.follow();
    const current = activeSeries(this.holder.get());
    if (current !== null) this.#learner.watch(current.modelName);
  }

  async #loadModels(displaySetUid: string): Promise<void> {
    const state = this.holder.get().series[displaySetUid];
    if (state === undefined) return;
    const { studyInstanceUid, seriesInstanceUid } = state.series;
    try {
      const listed = await this.#client.listModels({ studyInstanceUid, seriesInstanceUid });
      const value = listed.filter((model) => model.inService);
      const { series, worklist } = this.holder.get();
      const modelName = pickModel(value, series[displaySetUid]?.modelName ?? worklist.model);
      this.holder.patchSeries(displaySetUid, { models: { status: 'ready', value }, modelName });
      if (this.holder.get().activeDisplaySetUid === displaySetUid) {
        this.#learner.watch(modelName);
        void this.worklist.refresh();
        void this.exclusions.look();
      }
    } catch (error) {
      this.holder.patchSeries(displaySetUid, { models: { status: 'failed', problem: toUserProblem(error) } });
    }
  }

  #reloadModels(): void {
    for (const displaySetUid of Object.keys(this.holder.get().series)) void this.#loadModels(displaySetUid);
  }

  /** The version in service may be another now; said in a toast too, because our panel may be behind another. */
  #endRound(round: Round): void {
    this.#reloadModels();
    const { verdict } = round;
    this.#host.services.uiNotificationService.show({
      title: `Learning round of ${round.model}`,
      message: verdict === null ? 'The round failed.' : describeVerdict(round, verdict, null),
      type: verdict === null ? 'warning' : verdict.outcome === 'promoted' ? 'success' : 'info',
    });
  }
}
