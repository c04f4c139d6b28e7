import { EventEmitter } from 'node:events';
import type { Database } from '../store/database.ts';
import { type JobRow, jobChannel, readJob } from '../store/job-progress.ts';

/** Changes of jobs as they are announced by NOTIFY, from this process and from others. */
export interface JobFeed {
  subscribe(id: string, onChange: (job: JobRow) => void): () => void;
  close(): Promise<void>;
}

/**
 * Listens for changes of jobs. A notification carries the id only (payloads end at 8000 bytes); the row is read when
 * somebody wants it. After a lost connection every wanted row is read again.
 *
 * @param onChange called for every job that `alsoFollow` names.
 */
export async function followJobs(
  database: Database,
  onChange: (job: JobRow) => void,
  alsoFollow: () => Iterable<string>,
): Promise<JobFeed> {
  const emitter = new EventEmitter().setMaxListeners(0);
  const refresh = async (id: string) => {
    const job = await readJob(database, id).catch(() => undefined);
    if (!job) return;
    onChange(job);
    emitter.emit(id, job);
  };
  const followed = () => new Set([...alsoFollow(), ...(emitter.eventNames() as string[])]);
  const listening = await database.listen(
    jobChannel,
    (id) => {
      if (followed().has(id)) void refresh(id);
    },
    () => {
      for (const id of followed()) void refresh(id);
    },
  );
  return {
    subscribe(id, onJob) {
      emitter.on(id, onJob);
      return () => emitter.off(id, onJob);
    },
    close: () => listening.close(),
  };
}
