import { AppError } from '../errors/app-error.ts';
import type { CaseFilter, CaseOrder, CaseState, WorklistCase } from './case.ts';

/** A page of a worklist and what is to be known of the whole. */
export interface WorklistPage {
  /** When the PACS was asked. */
  readonly listedAt: Date;
  /** Cases that pass the filter. */
  readonly total: number;
  /** Of those of the modality and body part asked for. */
  readonly counts: Readonly<Record<CaseState, number>>;
  readonly modalities: readonly string[];
  readonly bodyParts: readonly string[];
  readonly items: readonly WorklistCase[];
}

export interface WorklistRequest extends CaseFilter {
  /** Name; the version in service is the one whose scores count. */
  readonly model: string;
  readonly order: CaseOrder;
  /** Subject of the token of who asks. */
  readonly reader: string;
}

/** The worklists of all models. Both methods throw AppError `model-not-found` and what the PACS client throws. */
export interface Worklists {
  read(request: WorklistRequest & { readonly limit: number; readonly offset: number }): Promise<WorklistPage>;
  /** Claims the first case that nobody else has open, and gives back what the reader had open before; undefined: none is left. */
  openNext(
    request: WorklistRequest & { readonly notStudyInstanceUid?: string | undefined },
  ): Promise<WorklistCase | undefined>;
}

export function createWorklists(): Worklists {
  const later = () => Promise.reject(new AppError('internal', 'Worklists are not served yet.'));
  return { read: later, openNext: later };
}
