import type { OpenImport, Receipt } from '../api/contract.ts';
import type { ForeignMask } from './importer.ts';

/** One line for a mask of a list. */
export function describeMask(mask: ForeignMask, masks: readonly ForeignMask[]): string {
  const { modality, description, seriesInstanceUid } = mask;
  const ofSeries = masks.filter((one) => one.seriesInstanceUid === seriesInstanceUid);
  const which = ofSeries.length > 1 ? `, object ${ofSeries.indexOf(mask) + 1} of ${ofSeries.length}` : '';
  return `${modality}: ${description === '' ? 'without description' : description}${which}`;
}

/** A structure as its object calls it. */
export function describeStructure({ number, label, laterality }: OpenImport['structures'][number]): string {
  const side = laterality === null ? '' : laterality === 'both' ? ', both sides' : `, ${laterality}`;
  return label === '' ? `Structure ${number}${side}` : `${label} (structure ${number}${side})`;
}

/** What the server made of a mask, a sentence each. */
export function describeImported({ imported, notes }: Pick<Receipt, 'imported' | 'notes'>): readonly string[] {
  const left = (imported?.structures ?? []).filter(({ segment }) => segment === 0).map(({ number }) => number);
  return [...(left.length > 0 ? [`Left out: structure ${left.join(', ')}.`] : []), ...notes];
}
