import type { Colin27 } from './colin27.ts';
import { ctAnatomyOf } from './ct-anatomy.ts';

/** What a generated subject is asked for, and how many segments its truth has. */
export const sampleTasks = {
  /** The brain with cerebellum and brain stem. */
  brain: 1,
  /** A lesion is added to the brain. */
  lesion: 1,
  /** All within 2 mm of the brain: what the skull holds. */
  intracranial: 1,
  /** What the skull holds, on CT. */
  'intracranial-ct': 1,
  /** Both thalami. */
  thalamus: 1,
  /** Thalamus, caudate nucleus, putamen, hippocampus, cerebellum, and the rest of the brain. */
  parts: 6,
} as const;

export type SampleTask = keyof typeof sampleTasks;

/** What the subjects of a task are scanned with. */
export function modalityOf(task: SampleTask): 'MR' | 'CT' {
  return task === 'intracranial-ct' ? 'CT' : 'MR';
}

/** Names of the tasks, for schemas. */
export const sampleTaskNames = Object.keys(sampleTasks) as [SampleTask, ...SampleTask[]];

/** AAL labels, first and last, of the segments of `parts` in order; what is left of the brain is the last one. */
const partLabels = [
  [77, 78],
  [71, 72],
  [73, 74],
  [37, 38],
  [91, 116],
] as const;
const thalamus = 1;
const rest = 6;
/** Distance from the brain, mm, that still counts as inside the skull. */
const fluidMm = 2;

const known = new WeakMap<Colin27, Map<SampleTask, Uint8Array>>();

/**
 * Truth of a task on the grid of Colin27, `[slice, row, column]` uint8 segment numbers. For `lesion` that is the brain,
 * in which the lesion lies.
 */
export function truthOf(colin: Colin27, task: SampleTask): Uint8Array {
  const ofColin = known.get(colin) ?? new Map<SampleTask, Uint8Array>();
  known.set(colin, ofColin);
  const found = ofColin.get(task) ?? drawTruth(colin, task);
  ofColin.set(task, found);
  return found;
}

function drawTruth(colin: Colin27, task: SampleTask): Uint8Array {
  if (task === 'brain' || task === 'lesion') return colin.brain;
  if (task === 'intracranial') return Uint8Array.from(colin.tissue, (code) => (code >> 8 <= fluidMm ? 1 : 0));
  if (task === 'intracranial-ct') return ctAnatomyOf(colin).inside;
  const parts = Uint8Array.from(colin.aal, (label, n) => {
    if (colin.brain[n] === 0) return 0;
    const part = partLabels.findIndex(([first, last]) => label >= first && label <= last);
    return part < 0 ? rest : part + 1;
  });
  return task === 'parts' ? parts : parts.map((part) => (part === thalamus ? 1 : 0));
}
