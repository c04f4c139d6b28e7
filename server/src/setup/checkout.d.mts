/** Whether the installed packages are those of the lock file, and the viewer's bundle is that of its sources. */
export function isReady(root: string): boolean;

/**
 * Brings packages and bundle up to date, by a child that alone holds the checkout. Answers its exit code.
 *
 * @param run runs a child to its end.
 */
export function makeReady(
  root: string,
  run: (command: string, args: readonly string[]) => Promise<number>,
): Promise<number>;

/** Whether the installed packages are those of the lock file, but for what need not be there. */
export function packagesMatch(root: string): boolean;
