import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { ServerUser } from './postgres-folders.ts';

/** How a command of the PostgreSQL bundle ended. */
export interface CommandResult {
  readonly exitCode: number;
  /** Last line that it wrote, for a message. */
  readonly lastLine: string;
}

/**
 * A runner of `initdb` and `pg_ctl` as the server's user, with an environment that holds nothing of ours.
 * @param cwd a folder that the user can enter: the parent's own may be closed to it.
 */
export function postgresCommand(bin: string, user: ServerUser | undefined, cwd: string) {
  return (name: 'initdb' | 'pg_ctl', parameters: readonly string[]): Promise<CommandResult> =>
    new Promise((resolve, reject) => {
      // `detached`: Ctrl-C in the terminal reaches the whole process group, and the database must outlive its clients.
      const child = spawn(join(bin, name), [...parameters], {
        ...user,
        cwd,
        detached: true,
        env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', TZ: 'UTC', HOME: cwd },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let text = '';
      const keepTail = (chunk: Buffer) => {
        text = (text + chunk.toString('utf8')).slice(-2000);
      };
      child.stdout.on('data', keepTail);
      child.stderr.on('data', keepTail);
      child.once('error', reject);
      // `exit`, not `close`: the server that pg_ctl leaves running may hold the pipes open.
      child.once('exit', (exitCode) => {
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ exitCode: exitCode ?? 1, lastLine: text.trim().split('\n').at(-1) ?? '' });
      });
    });
}
