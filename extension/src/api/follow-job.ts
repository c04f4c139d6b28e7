import type { UncolClient } from './client.ts';
import type { Job } from './contract.ts';
import { ProblemError } from './problem.ts';

const POLL_MS = 1000;
const GIVE_UP_MS = 60_000;

/** True when nothing more will happen to the job. */
export function isFinished(job: Job): boolean {
  return job.state === 'done' || job.state === 'failed' || job.state === 'cancelled';
}

/**
 * Follows a job to its end over the event stream, and by asking where the stream breaks.
 *
 * @param onJob Called with every state seen.
 * @returns The last state, always a finished one.
 * @throws ProblemError when the server refuses, or stays silent for a minute; the abort reason when `signal` fires.
 */
export async function followJob(
  client: Pick<UncolClient, 'streamJob' | 'getJob'>,
  jobId: string,
  onJob: (job: Job) => void,
  signal: AbortSignal,
): Promise<Job> {
  let heardAt = Date.now();
  const seen = (job: Job): Job => {
    heardAt = Date.now();
    onJob(job);
    return job;
  };
  for (;;) {
    try {
      for await (const job of client.streamJob(jobId, signal)) if (isFinished(seen(job))) return job;
      const job = seen(await client.getJob(jobId));
      if (isFinished(job)) return job;
    } catch (error) {
      signal.throwIfAborted();
      const isRefusal = error instanceof ProblemError && error.problem.code !== 'server-unreachable';
      if (isRefusal || Date.now() - heardAt > GIVE_UP_MS) throw error;
    }
    await pause(POLL_MS, signal);
  }
}

/** Waits; rejects with the abort reason when `signal` fires first. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
