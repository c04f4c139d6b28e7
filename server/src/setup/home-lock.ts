import { join } from 'node:path';
import { AppError } from '../errors/app-error.ts';
import { withLock } from './lock.ts';

/**
 * Takes `home` for this process alone; the kernel frees it when the process ends, however it ends. Two servers on one
 * home would stop each other's PACS and database.
 *
 * @returns the release.
 * @throws AppError `setup-failed` when another process holds it.
 */
export function holdHome(home: string): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    let release = () => {};
    const released = new Promise<void>((free) => {
      release = free;
    });
    const refuse = () => {
      throw new AppError('setup-failed', `Another UnCoL server uses ${home}; stop it or set another UNCOL_HOME.`);
    };
    const held: Promise<void> = withLock(
      join(home, 'server.lock'),
      () => {
        resolve(() => {
          release();
          return held;
        });
        return released;
      },
      refuse,
    );
    held.catch(reject);
  });
}
