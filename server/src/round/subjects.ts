import { drawAcquisition } from '../sample/acquisition.ts';
import type { Colin27 } from '../sample/colin27.ts';
import { generateSubject } from '../sample/generator.ts';
import type { SampleTask } from '../sample/task.ts';
import type { StudentInput } from '../student/input.ts';
import { type LabelledVolume, labelVolume } from './labelled-volume.ts';

/** A generator subject as the student would meet it: acquired on some grid, then brought to the card's; all vouched for. */
export function prepareSubject(
  colin: Colin27,
  task: SampleTask,
  variation: 'sample' | 'wide',
  seed: number,
  input: StudentInput,
): LabelledVolume {
  const subject = { seed, task, variation };
  const { volume, truth } = generateSubject(colin, { ...subject, ...drawAcquisition(subject) });
  return labelVolume(volume, { data: truth, geometry: volume.geometry, segments: [] }, input);
}
