import { contrastJobs, forgettingJobs, strongContrastJobs } from './rounds-contrast.ts';
import type { Job } from './rounds-job.ts';
import { nothingGainedJobs, poisonJobs } from './rounds-safety.ts';
import { streamJobs } from './rounds-stream.ts';

const seeds = (count: number) => Array.from({ length: count }, (_, n) => n + 1);

/** All jobs: experiment by experiment, those of the first seeds first; what needs a teacher last. */
export function allJobs(): readonly Job[] {
  return [
    ...seeds(4).flatMap(poisonJobs),
    ...seeds(20).flatMap(nothingGainedJobs),
    ...seeds(5).flatMap((seed) => contrastJobs(seed, false)),
    ...seeds(5).flatMap(strongContrastJobs),
    ...seeds(5).flatMap(forgettingJobs),
    ...seeds(5).flatMap(streamJobs),
    ...seeds(5).flatMap((seed) => contrastJobs(seed, true)),
  ];
}

/** Those of the first seed that show whether the full student behaves as the lite one. */
export function fullStudentJobs(): readonly Job[] {
  return [...contrastJobs(1, false), ...strongContrastJobs(1), ...contrastJobs(1, true)];
}
