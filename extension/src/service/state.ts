import type {
  CaseOrder,
  CaseState,
  Inference,
  Job,
  Model,
  Pool,
  Quality,
  Receipt,
  Round,
  Worklist,
} from '../api/contract.ts';
import type { UserProblem } from '../api/problem.ts';
import type { Difference } from '../correction/difference.ts';
import type { Exclusion } from './exclusion.ts';
import type { Importing } from './importer.ts';
import type { Run } from './run.ts';

/** What a viewport shows: an image series, or one volume of it. */
export interface SeriesRef {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** Of a series that holds several volumes the one that is shown alone; null: none was chosen, or it holds one. */
  readonly volume: string | null;
  readonly displaySetInstanceUid: string;
  readonly modality: string;
  readonly description: string;
}

/** Something asked from the server. */
export type Loadable<T> =
  | { readonly status: 'loading' }
  | { readonly status: 'ready'; readonly value: T }
  | { readonly status: 'failed'; readonly problem: UserProblem };

/** The model's mask as it stands in the viewer. */
export interface MaskState {
  readonly inference: Inference;
  readonly segmentationId: string;
  /** Slice ids in the viewer's order. */
  readonly slices: readonly string[];
  /** Against the model's own mask. */
  readonly difference: Difference;
  /** Holds edits or ticks that were not handed in like this. */
  readonly isUnsubmitted: boolean;
  /** Slices that the reader ticked as right, in no order. */
  readonly tickedSlices: readonly string[];
  readonly layer: LayerState;
}

/** The layer that shows where the model was unsure. */
export type LayerState =
  | { readonly phase: 'off' }
  | { readonly phase: 'loading' }
  | { readonly phase: 'on' }
  | { readonly phase: 'failed'; readonly problem: UserProblem };

/** A correction on its way to the server. */
export type Submission =
  | { readonly phase: 'none' }
  | { readonly phase: 'sending' }
  | { readonly phase: 'failed'; readonly problem: UserProblem }
  | { readonly phase: 'received'; readonly receipt: Receipt; readonly kind: 'edited' | 'accepted' };

/** All that the panel knows of one display set: a series, or one volume of it. */
export interface SeriesState {
  readonly series: SeriesRef;
  /** To choose from, once the server has said that the series holds several. */
  readonly volumes: readonly string[];
  readonly models: Loadable<readonly Model[]>;
  /** Name of the model that Segment uses. */
  readonly modelName: string | null;
  readonly run: Run;
  readonly mask: MaskState | null;
  readonly submission: Submission;
  /** Under the chosen model. */
  readonly exclusion: Exclusion;
  readonly importing: Importing;
}

/** What became of a model so far. */
export interface History {
  /** Newest first. */
  readonly rounds: readonly Round[];
  /** How readers agreed with each version. */
  readonly quality: Quality;
  /** Newest first. */
  readonly versions: readonly Model[];
}

/** What the model learns from corrections. */
export interface LearningState {
  readonly pool: Pool | null;
  /** The newest round. */
  readonly round: Round | null;
  /** What has been; asked for when it is shown. */
  readonly history: Loadable<History> | null;
  /** The round's job while it runs. */
  readonly job: Job | null;
  readonly problem: UserProblem | null;
}

/** Which cases the reader works through; kept from study to study. */
export interface WorklistState {
  /** The model that the reader came with from the study before. */
  readonly model: string | null;
  readonly order: CaseOrder;
  /** Filters; null: all. */
  readonly state: CaseState | null;
  readonly modality: string | null;
  readonly bodyPart: string | null;
  /** The list is unfolded. */
  readonly isShown: boolean;
  readonly list: Loadable<Worklist> | null;
  /** The next case is being looked for. */
  readonly isOpening: boolean;
  /** Why it could not be opened. */
  readonly problem: UserProblem | null;
  readonly notice: string | null;
}

/** Everything the panel draws; replaced, never changed. */
export interface UncolState {
  readonly activeDisplaySetUid: string | null;
  /** Id of the slice on display in the active viewport. */
  readonly currentSlice: string | null;
  /** By Display Set Instance UID. */
  readonly series: Readonly<Record<string, SeriesState>>;
  readonly learning: Readonly<Record<string, LearningState>>;
  readonly worklist: WorklistState;
}

const emptyWorklist: WorklistState = {
  ...{ model: null, order: 'uncertainty', state: null, modality: null, bodyPart: null },
  ...{ isShown: false, list: null, isOpening: false, problem: null, notice: null },
};

export const emptyState: UncolState = {
  ...{ activeDisplaySetUid: null, currentSlice: null, series: {}, learning: {} },
  worklist: emptyWorklist,
};
export const emptyLearning: LearningState = {
  ...{ pool: null, round: null, history: null, job: null, problem: null },
};

/** As requests name it. */
export function addressOf({ studyInstanceUid, seriesInstanceUid, volume }: SeriesRef) {
  return { studyInstanceUid, seriesInstanceUid, ...(volume === null ? {} : { volume }) };
}

/** State of a series on first sight. */
export function createSeriesState(series: SeriesRef): SeriesState {
  return {
    series,
    volumes: [],
    models: { status: 'loading' },
    modelName: null,
    run: { phase: 'idle' },
    mask: null,
    submission: { phase: 'none' },
    exclusion: { phase: 'none' },
    importing: { phase: 'none' },
  };
}

/** The series of the active viewport. */
export function activeSeries(state: UncolState): SeriesState | null {
  return state.activeDisplaySetUid === null ? null : (state.series[state.activeDisplaySetUid] ?? null);
}

/** The version in service of the chosen model, among those that fit the series. */
export function chosenModel(series: SeriesState): Model | null {
  if (series.models.status !== 'ready') return null;
  return series.models.value.find((model) => model.name === series.modelName) ?? null;
}

/** Name of the model that Segment uses: what the reader chose as long as it is offered, else the server's first. */
export function pickModel(offered: readonly Model[], chosen: string | null): string | null {
  return (offered.find((model) => model.name === chosen) ?? offered[0])?.name ?? null;
}

/** Slices that the reader edited or ticked. */
export function countWork(mask: MaskState | null): number {
  if (mask === null) return 0;
  return new Set([...mask.difference.editedSlices, ...mask.tickedSlices]).size;
}

/** Series with edits or ticks that nobody has handed in. */
export function unsubmittedSeries(state: UncolState): readonly SeriesState[] {
  return Object.values(state.series).filter(({ mask }) => mask?.isUnsubmitted === true);
}

/** True while a round has no verdict yet. */
export function isRoundActive(round: Round | null): boolean {
  return round !== null && round.state !== 'done' && round.state !== 'failed';
}
