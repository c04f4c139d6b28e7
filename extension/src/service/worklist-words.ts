import type { CaseOrder, CaseState, WorklistItem } from '../api/contract.ts';
import { describeUncertainty } from './words.ts';

export const orders: readonly CaseOrder[] = ['uncertainty', 'random', 'worklist'];
export const caseStates: readonly CaseState[] = ['new', 'segmented', 'corrected', 'accepted', 'excluded'];

/** An order of cases as the reader sees it. */
export function nameOrder(order: CaseOrder): string {
  return { uncertainty: 'Least sure first', random: 'Random', worklist: 'Newest first' }[order];
}

/** A case in a list: what it is, and what has become of it. Nothing of the patient. */
export function describeCase(item: WorklistItem): { readonly title: string; readonly details: string } {
  const { modality, bodyPart, description, volume, studyDate, state, uncertainty, openBy, conflict } = item;
  const what = [modality, bodyPart, description, volume].filter((part) => part !== null && part !== '');
  const details = [
    state === 'corrected' && conflict ? 'readers disagree' : state,
    ...(uncertainty === null ? [] : [`uncertainty ${describeUncertainty(uncertainty).word}`]),
    ...(openBy === 'another' ? ['open by another reader'] : []),
    ...(studyDate === null ? [] : [formatDicomDate(studyDate)]),
  ];
  return { title: what.join(' · '), details: details.join(' · ') };
}

/** `20240102` as `2 Jan 2024`; anything else as it is. */
function formatDicomDate(date: string): string {
  const parts = /^(\d{4})(\d{2})(\d{2})$/.exec(date);
  if (parts === null) return date;
  const moment = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]));
  return moment.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
}
