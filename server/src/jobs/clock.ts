import { toErrorRecord } from '../errors/app-error.ts';
import type { Log } from '../telemetry/log.ts';

/**
 * Does `work` again and again, never twice at a time. @returns what ends it, and waits for work that goes on.
 * @param what names the work in the log when it failed.
 */
export function startClock(
  periodMs: number,
  work: () => Promise<unknown>,
  { log, what }: { readonly log: Log; readonly what: string },
): () => Promise<void> {
  let running = Promise.resolve();
  let isWaiting = false;
  const tick = async () => {
    isWaiting = false;
    try {
      await work();
    } catch (error) {
      // The next tick tries again; a database or PACS that is away is told by others, louder.
      log.debug(what, { code: toErrorRecord(error).code });
    }
  };
  const timer = setInterval(() => {
    if (isWaiting) return;
    isWaiting = true;
    running = running.then(tick);
  }, periodMs);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
