import type { Random } from '../../engine/random.ts';
import { describeFamiliar, type Familiar, imageTraits, type Part, traitNames } from '../../student/familiarity.ts';
import type { PreparedVolume } from '../../student/prepare-volume.ts';

/** Sides of a part, share of those of the image: scans show less than a whole head, too. */
const shares = [0.5, 1] as const;

/** Traits of an image and of a part of it; none of what shows next to nothing. */
export function looksOf(volume: PreparedVolume, random: Random): readonly (readonly number[])[] {
  return [imageTraits(volume), imageTraits(volume, drawPart(volume, random))].flatMap((traits) =>
    traits ? [traits] : [],
  );
}

function drawPart({ grid }: PreparedVolume, random: Random): Part {
  const [columns, rows, slices] = ([0, 1, 2] as const).map((axis) => {
    const length = Math.round(grid.size[axis] * random.uniform(...shares));
    return { start: random.int(grid.size[axis] - length + 1), length };
  }) as [Side, Side, Side];
  return {
    start: [columns.start, rows.start, slices.start],
    size: [columns.length, rows.length, slices.length],
  };
}

interface Side {
  readonly start: number;
  readonly length: number;
}

/** So many images and parts tell enough. */
const leastLooks = 4 * traitNames.length;

/** For the card; nothing where there are too few images to tell. */
export function familiarOf(looks: readonly (readonly number[])[]): { readonly familiar?: Familiar } {
  return looks.length < leastLooks ? {} : { familiar: describeFamiliar(looks) };
}
