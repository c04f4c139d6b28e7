import { AppError } from '../errors/app-error.ts';
import type { PacsProfile } from './pacs-profiles.ts';

/** @throws AppError `request-invalid` */
export function checkModality(modality: string): string {
  if (/^[A-Z0-9]{1,16}$/.test(modality)) return modality;
  throw new AppError('request-invalid', 'Modality is not a plain code.', { attribute: 'Modality' });
}

/**
 * Matching keys of a search as this PACS matches them.
 *
 * @param match keyword to value. No value is repeated in an error: it may be a description.
 * @throws AppError `request-invalid`: a value that no search can match, or that this PACS would silently match with nothing.
 */
export function checkMatch(
  match: Readonly<Record<string, string>>,
  { wildcards, blanks }: Pick<PacsProfile, 'wildcards' | 'blanks'>,
): Readonly<Record<string, string>> {
  for (const [keyword, value] of Object.entries(match)) {
    const attribute = keyword.slice(0, 64);
    const refuse = (why: string) => new AppError('request-invalid', `${attribute} ${why}.`, { attribute });
    if (!/^[A-Za-z]{1,64}$/.test(keyword) || !/^[A-Za-z0-9 ._*?-]{1,64}$/.test(value))
      throw refuse('has a value that no search can match');
    if (!wildcards && /[*?]/.test(value)) throw refuse('has a wildcard, and this PACS matches whole values only');
    if (!blanks && value.includes(' '))
      throw refuse('has a blank, which this PACS does not match: write ? in its place');
  }
  return match;
}
