import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Which code runs. */
export interface CodeVersion {
  /** Of the package. */
  readonly version: string;
  /** Of the checkout, 40 hex digits; null where the code is not in one. */
  readonly commit: string | null;
}

const server = fileURLToPath(new URL('../../', import.meta.url));

/** The code that runs, for what it makes and serves. */
export const code: CodeVersion = {
  version: (JSON.parse(readFileSync(join(server, 'package.json'), 'utf8')) as { version: string }).version,
  commit: readCommit(resolve(server, '..')),
};

/** The commit that a checkout is at, read without git, which need not be installed; null where `root` is none. */
export function readCommit(root: string): string | null {
  try {
    const git = gitFolder(root);
    const head = readFileSync(join(git, 'HEAD'), 'utf8').trim();
    const ref = head.replace(/^ref: /, '');
    if (ref === head) return asCommit(head);
    const shared = join(git, 'commondir');
    const common = existsSync(shared) ? resolve(git, readFileSync(shared, 'utf8').trim()) : git;
    const loose = join(common, ref);
    if (existsSync(loose)) return asCommit(readFileSync(loose, 'utf8').trim());
    const packed = readFileSync(join(common, 'packed-refs'), 'utf8').split('\n');
    return asCommit(packed.find((line) => line.endsWith(` ${ref}`))?.slice(0, 40) ?? '');
  } catch {
    // Installed from a package, or of a git that keeps its state elsewhere.
    return null;
  }
}

/** Of a worktree `.git` is a file that names the folder. */
function gitFolder(root: string): string {
  const path = join(root, '.git');
  return statSync(path).isDirectory()
    ? path
    : resolve(
        root,
        readFileSync(path, 'utf8')
          .trim()
          .replace(/^gitdir: /, ''),
      );
}

function asCommit(text: string): string | null {
  return /^[0-9a-f]{40}$/.test(text) ? text : null;
}
