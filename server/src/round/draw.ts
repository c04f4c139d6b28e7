import type { Random } from '../engine/random.ts';
import { holdsContent } from '../student/prepare.ts';
import { cutWindow, type WindowStart, windowAbout } from '../student/windows.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import type { Vec3 } from '../volume/geometry.ts';
import { type LabelledVolume, slicesOf } from './labelled-volume.ts';

/** How many slices or windows are drawn from a volume, and the share of them with foreground; the others teach what is none. */
export interface Portion {
  readonly count: number;
  readonly foregroundShare: number;
}

/** Slices of a volume drawn at random; where there are too few with foreground, others fill their places. Views. */
export function drawSlices(
  volume: LabelledVolume,
  { count, foregroundShare }: Portion,
  random: Random,
): readonly LabelledSlice[] {
  const slices = slicesOf(volume);
  const filled = shuffle(slices.filter(hasForeground), random);
  const empty = shuffle(
    slices.filter((slice) => !hasForeground(slice)),
    random,
  );
  const wanted = Math.min(filled.length, Math.ceil(count * foregroundShare));
  return [...filled.slice(0, wanted), ...empty.slice(0, count - wanted)];
}

/** Places looked at for each window wanted. */
const tries = 8;

/**
 * Windows of a volume drawn at random: about known voxels of the foreground, each class as often as another, then about
 * any known voxel. Fewer where there are not as many different ones; none shows nothing but air. Beyond the faces of the
 * grid image and label are mirrored, as the network will be shown it.
 */
export function drawWindows(
  volume: LabelledVolume,
  windowVoxels: Vec3,
  { count, foregroundShare }: Portion,
  random: Random,
): readonly LabelledSlice[] {
  const { size } = volume.grid;
  const known = voxelsOf(volume);
  const classes = [...new Set(known.filled.map((voxel) => volume.label[voxel]!))];
  const ofClass = classes
    .toSorted((a, b) => a - b)
    .map((label) => known.filled.filter((voxel) => volume.label[voxel] === label));
  const windows = new Map<string, LabelledSlice>();
  const draw = (wanted: number, drawVoxel: () => number): void => {
    for (let left = tries * wanted; left > 0 && windows.size < wanted; left--) {
      const start = windowAbout(placeOf(drawVoxel(), size), size, windowVoxels);
      if (windows.has(start.join())) continue;
      const window = cutLabelled(volume, start, windowVoxels);
      const isWorthLearning = hasForeground(window) || holdsContent(window.image, windowVoxels[0], windowVoxels[1]);
      if (isWorthLearning) windows.set(start.join(), window);
    }
  };
  const pick = (voxels: Uint32Array): number => voxels[random.int(voxels.length)]!;
  if (ofClass.length > 0) draw(Math.ceil(count * foregroundShare), () => pick(random.pick(ofClass)));
  if (known.all.length > 0) draw(count, () => pick(known.all));
  return [...windows.values()];
}

/** Known voxels, by their index; and those of them that are foreground. */
function voxelsOf({ label, known }: LabelledVolume): { readonly all: Uint32Array; readonly filled: Uint32Array } {
  const all = new Uint32Array(known.length);
  const filled = new Uint32Array(known.length);
  let [ofAll, ofFilled] = [0, 0];
  for (let voxel = 0; voxel < known.length; voxel++) {
    if (known[voxel] === 0) continue;
    all[ofAll++] = voxel;
    if (label[voxel]! > 0) filled[ofFilled++] = voxel;
  }
  return { all: all.subarray(0, ofAll), filled: filled.subarray(0, ofFilled) };
}

function placeOf(voxel: number, [columns, rows]: Vec3): Vec3 {
  const row = Math.floor(voxel / columns);
  return [voxel % columns, row % rows, Math.floor(row / rows)];
}

function cutLabelled({ grid, image, label, known }: LabelledVolume, start: WindowStart, sides: Vec3): LabelledSlice {
  const voxels = sides[0] * sides[1] * sides[2];
  const window = { image: new Float32Array(voxels), label: new Uint8Array(voxels), known: new Uint8Array(voxels) };
  cutWindow(image, grid.size, start, sides, window.image);
  cutWindow(label, grid.size, start, sides, window.label);
  cutWindow(known, grid.size, start, sides, window.known);
  return window;
}

export function hasForeground({ label, known }: Pick<LabelledSlice, 'label' | 'known'>): boolean {
  return label.some((one, i) => one > 0 && known[i] === 1);
}

/** At most `count` items, spread evenly over all. */
export function evenly<T>(items: readonly T[], count: number): readonly T[] {
  if (items.length <= count) return items;
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)] as T);
}

/** Fisher-Yates by the given stream. */
export function shuffle<T>(items: readonly T[], random: Random): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    const [a, b] = [shuffled[i] as T, shuffled[j] as T];
    shuffled[i] = b;
    shuffled[j] = a;
  }
  return shuffled;
}
