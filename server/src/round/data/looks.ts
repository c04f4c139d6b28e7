import type { Random } from '../../engine/random.ts';
import { describeFamiliar, type Familiar, imageTraits, type Part, traitNames } from '../../student/familiarity.ts';
import type { PreparedVolume } from '../../student/prepare-volume.ts';

/** Sides of a part, share of those of the image: scans show less than a whole head, too. */
const shares = [0.5, 1] as const;

/** Traits of an image and of a part of it; none of what shows next to nothing. */
export function looksOf(volume: PreparedVolume, random: Random): readonly (readonly number[])[] {
  const [columns, rows, slices] = [drawSide(0), drawSide(1), drawSide(2)];
  const part: Part = {
    start: [columns.start, rows.start, slices.start],
    size: [columns.length, rows.length, slices.length],
  };
  return [imageTraits(volume), imageTraits(volume, part)].flatMap((traits) => (traits ? [traits] : []));

  function drawSide(axis: 0 | 1 | 2): { readonly start: number; readonly length: number } {
    const whole = volume.grid.size[axis];
    const length = Math.round(whole * random.uniform(...shares));
    return { start: Math.floor(random.next() * (whole - length + 1)), length };
  }
}

/** So many images and parts tell enough. */
const leastLooks = 4 * traitNames.length;

/** For the card; nothing where there are too few images to tell. */
export function familiarOf(looks: readonly (readonly number[])[]): { readonly familiar?: Familiar } {
  return looks.length < leastLooks ? {} : { familiar: describeFamiliar(looks) };
}
