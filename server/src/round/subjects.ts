import { Random } from '../engine/random.ts';
import type { Labelmap } from '../labelmap/labelmap.ts';
import { drawAcquisition } from '../sample/acquisition.ts';
import type { Colin27 } from '../sample/colin27.ts';
import { generateSubject } from '../sample/generator.ts';
import type { SampleTask } from '../sample/task.ts';
import { labelSlices, type PlaneInput, prepareSlices } from '../student/prepare.ts';
import type { LabelledSlice } from '../uncol/feed.ts';
import type { Geometry } from '../volume/geometry.ts';
import type { GeneratorSplit } from './data/sources.ts';
import { seedsOf } from './recipe.ts';

/** A generated subject on the network's own slices, all of them vouched for. */
export interface Subject {
  readonly seed: number;
  readonly slices: readonly LabelledSlice[];
}

/**
 * A generator subject as the student would meet it: acquired on some grid, then brought to the card's plane and spacing
 * by the same code that serves.
 */
export function prepareSubject(
  colin: Colin27,
  task: SampleTask,
  variation: 'sample' | 'wide',
  seed: number,
  input: PlaneInput,
): Subject {
  const subject = { seed, task, variation };
  const { volume, truth } = generateSubject(colin, { ...subject, ...drawAcquisition(subject) });
  const prepared = prepareSlices(volume, input);
  const labels = labelSlices(truthLabelmap(truth, volume.geometry), allSlices(volume.geometry), prepared);
  const slices = prepared.images.map((image, k) => {
    const row = labels[k];
    if (!row) throw new RangeError(`slice ${k} has no label`);
    return { image, label: row.label, known: row.known };
  });
  return { seed, slices };
}

/** A recipe's subjects with `slicesPerSubject` slices each, drawn by seed. */
export function chooseSubjects(
  colin: Colin27,
  task: SampleTask,
  choice: GeneratorSplit,
  input: PlaneInput,
  onSubject: (done: number, all: number) => void = () => {},
): readonly Subject[] {
  const seeds = seedsOf(choice.seeds);
  return seeds.map((seed, at) => {
    const subject = prepareSubject(colin, task, choice.variation, seed, input);
    onSubject(at + 1, seeds.length);
    return { seed, slices: drawSlices(subject.slices, choice.slicesPerSubject, Random.for(seed, 'slices')) };
  });
}

/** Four in five slices hold foreground, one in five does not (air, neck, empty): both kinds must be learnt. */
export function drawSlices(slices: readonly LabelledSlice[], count: number, random: Random): readonly LabelledSlice[] {
  const filled = shuffle(slices.filter(hasForeground), random);
  const empty = shuffle(
    slices.filter((slice) => !hasForeground(slice)),
    random,
  );
  const wanted = Math.min(filled.length, Math.ceil(count * 0.8));
  return [...filled.slice(0, wanted), ...empty.slice(0, count - wanted)].map(compact);
}

/** Copies, so that the rest of the subject can be freed. */
function compact(slice: LabelledSlice): LabelledSlice {
  return { image: slice.image.slice(), label: slice.label.slice(), known: slice.known.slice() };
}

export function hasForeground(slice: LabelledSlice): boolean {
  return slice.label.some((label, i) => label > 0 && slice.known[i] === 1);
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

function truthLabelmap(data: Uint8Array, geometry: Geometry): Labelmap {
  return { data, geometry, segments: [] };
}

function allSlices(geometry: Geometry): ReadonlySet<number> {
  return new Set(Array.from({ length: geometry.size[2] }, (_, k) => k));
}
