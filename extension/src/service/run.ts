import type { Job } from '../api/contract.ts';
import type { UserProblem } from '../api/problem.ts';

/** Code of the refusal that names the volumes of a series. */
export const severalVolumes = 'series-several-volumes';

/** A Segment press, from the click to the mask or the reason why there is none. */
export type Run =
  | { readonly phase: 'idle' }
  | { readonly phase: 'starting' }
  | { readonly phase: 'running'; readonly job: Job; readonly isCancelling: boolean }
  | { readonly phase: 'drawing' }
  | { readonly phase: 'cancelled' }
  | { readonly phase: 'failed'; readonly problem: UserProblem };

export type RunEvent =
  | { readonly type: 'start' }
  | { readonly type: 'job'; readonly job: Job }
  | { readonly type: 'cancel' }
  | { readonly type: 'drawn' }
  | { readonly type: 'stopped' }
  | { readonly type: 'fault'; readonly problem: UserProblem };

/** The next state of a run; an event that does not fit the state changes nothing (late news of an ended job). */
export function reduceRun(run: Run, event: RunEvent): Run {
  switch (event.type) {
    case 'start':
      return isBusy(run) ? run : { phase: 'starting' };
    case 'job':
      return reduceJob(run, event.job);
    case 'cancel':
      return run.phase === 'running' ? { ...run, isCancelling: true } : run;
    case 'drawn':
      return run.phase === 'drawing' ? { phase: 'idle' } : run;
    case 'stopped':
      return isBusy(run) ? { phase: 'cancelled' } : run;
    case 'fault':
      return isBusy(run) ? { phase: 'failed', problem: event.problem } : run;
  }
}

/** True when the server asked which volume is meant: the panel lets the reader choose instead of telling a problem. */
export function wasAskedForVolume(run: Run): boolean {
  return run.phase === 'failed' && run.problem.code === severalVolumes;
}

/** True from the click until there is a mask or a reason. */
export function isBusy(run: Run): boolean {
  return run.phase === 'starting' || run.phase === 'running' || run.phase === 'drawing';
}

function reduceJob(run: Run, job: Job): Run {
  if (run.phase !== 'starting' && run.phase !== 'running') return run;
  const isCancelling = run.phase === 'running' && run.isCancelling;
  if (job.state === 'cancelled') return { phase: 'cancelled' };
  if (job.state === 'failed') return { phase: 'failed', problem: jobProblem(job) };
  // A job can end before the cancel reaches it; the reader asked for no mask, so none is drawn.
  if (job.state === 'done') return isCancelling ? { phase: 'cancelled' } : { phase: 'drawing' };
  return { phase: 'running', job, isCancelling };
}

function jobProblem({ error }: Job): UserProblem {
  return {
    code: error?.code ?? 'internal',
    title: 'The series was not segmented',
    detail: error?.message ?? 'The server gave no reason.',
    hint: error?.hint ?? 'Try again.',
  };
}
