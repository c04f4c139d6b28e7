import { AppError } from '../errors/app-error.ts';
import { type Dividing, dividing, dividingValue } from './dividing.ts';
import type { PlacedImage } from './slice-order.ts';
import { tolerance } from './tolerance.ts';

interface Part {
  /** `EchoTime=4.6`, joined by commas where it takes several; empty of a series that holds one volume. */
  readonly id: string;
  readonly placed: readonly PlacedImage[];
}

/**
 * The images of one volume, of a sorted series that may hold several at the same positions.
 *
 * @param wanted `id` of the volume, as the refusal lists them; empty: none chosen.
 * @throws AppError `series-several-volumes`: several, and none chosen or one that is not there.
 */
export function chooseVolume(placed: readonly PlacedImage[], wanted: string): readonly PlacedImage[] {
  const parts = splitVolumes(placed);
  const chosen = parts.find(({ id }) => id === wanted);
  if (chosen) return chosen.placed;
  const ids = parts.map(({ id }) => id);
  const more = ids.length > 10 ? `; and ${ids.length - 10} more` : '';
  const holds =
    ids.length === 1
      ? 'one volume'
      : `${ids.length} volumes of ${parts[0]!.placed.length} slices: ${ids.slice(0, 10).join('; ')}${more}`;
  throw new AppError(
    'series-several-volumes',
    `${wanted === '' ? 'The series' : 'The series has no such volume. It'} holds ${holds}.`,
    { volumes: ids },
  );
}

/** One part where nothing tells the images apart; what lies twice at one position is then judged by its pixels. */
function splitVolumes(placed: readonly PlacedImage[]): readonly Part[] {
  const whole: Part = { id: '', placed };
  const parts = dividing.reduce<readonly Part[]>(
    (before, attribute) => before.flatMap((part) => divide(part, attribute)),
    [whole],
  );
  return parts.every((part) => placesOf(part.placed) === part.placed.length) ? parts : [whole];
}

/** By one attribute, if each part then has a slice at every position; a value that changes from slice to slice divides nothing. */
function divide(part: Part, attribute: Dividing): readonly Part[] {
  const places = placesOf(part.placed);
  if (places === part.placed.length) return [part];
  const groups = new Map<string, PlacedImage[]>();
  for (const one of part.placed) {
    const value = dividingValue(one.image, attribute);
    const group = groups.get(value);
    if (group) group.push(one);
    else groups.set(value, [one]);
  }
  if (groups.size < 2 || [...groups.values()].some((group) => placesOf(group) !== places)) return [part];
  return [...groups].map(([value, group]) => ({
    id: [...(part.id === '' ? [] : [part.id]), `${attribute.keyword}=${value}`].join(','),
    placed: group,
  }));
}

/** Different positions. */
function placesOf(placed: readonly PlacedImage[]): number {
  return placed.filter(({ alongMm }, n) => n === 0 || alongMm - placed[n - 1]!.alongMm >= tolerance.samePositionMm)
    .length;
}
