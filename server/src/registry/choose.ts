import { fits, type ListedVersion } from './registry.ts';

/** What a series says of itself that a model is chosen by. */
interface ChosenFor {
  readonly modality: string;
  /** Body Part Examined (0018,0015); empty when it is not said. */
  readonly bodyPart: string;
}

/**
 * The versions in service that fit a series, the best first: the first one is used where nobody chooses.
 *
 * A model of another modality is not among them. Models whose card names the body part of the series come before those
 * of which nothing can be said, because card or series names none, and these before models of other body parts: a series
 * may be mislabelled, so the reader may still choose them. Within each, models stand by name, which never changes: what
 * was the first choice stays it until a model is added or removed.
 *
 * @param versions in the order of {@link Registry.list}.
 */
export function fittingVersions(versions: readonly ListedVersion[], series: ChosenFor): readonly ListedVersion[] {
  return versions
    .filter(({ inService, card }) => inService && fits(card, series))
    .sort((a, b) => distanceOf(a, series) - distanceOf(b, series));
}

function distanceOf({ card }: ListedVersion, { bodyPart }: ChosenFor): number {
  const named: readonly string[] = card.filter.bodyPart;
  if (named.includes(bodyPart)) return 0;
  return named.length === 0 || bodyPart === '' ? 1 : 2;
}
