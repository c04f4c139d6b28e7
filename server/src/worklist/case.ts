/** In which order cases are offered (see orders.ts). */
export const caseOrders = ['uncertainty', 'random', 'worklist'] as const;
export type CaseOrder = (typeof caseOrders)[number];

/** What has become of a case, under one model. An excluded series is that whatever was submitted for it. */
export const caseStates = ['new', 'segmented', 'corrected', 'accepted', 'excluded'] as const;
export type CaseState = (typeof caseStates)[number];

/** One study by the series of it that the model is for. Description and date are passed through, never kept. */
export interface WorklistCase {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  /** Of a series with several volumes the one that readers work on; empty: none was chosen, or it holds one. */
  readonly volume: string;
  readonly modality: string;
  readonly bodyPart: string | null;
  readonly description: string | null;
  /** YYYYMMDD as the PACS gives it. */
  readonly studyDate: string | null;
  readonly state: CaseState;
  /** Of the mask of the version in service; null when there is none. */
  readonly uncertainty: number | null;
  /** Of the newest mask. */
  readonly version: number | null;
  /** Whether the asking reader has it open, or another one. */
  readonly openBy: 'you' | 'another' | null;
  /** Corrections of two or more readers stand and none is preferred. */
  readonly conflict: boolean;
}

/** Which cases are wanted; what is absent does not matter. */
export interface CaseFilter {
  readonly state?: CaseState | undefined;
  readonly modality?: string | undefined;
  readonly bodyPart?: string | undefined;
}
