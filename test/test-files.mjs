import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The kinds of test, in the order in which they run. */
export const kinds = ['unit', 'device', 'integration', 'conformance', 'e2e'];

/** Test files below `root/test`, as paths from `root`, whose path holds one of `filters` (all when there is none). */
export function findTestFiles(root, filters) {
  return kinds
    .flatMap((kind) => listFiles(root, `test/${kind}`))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));
}

/** The folder below `test`. */
export function kindOf(file) {
  return file.split('/')[1];
}

function listFiles(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `${folder}/${name}`)
    .sort();
}
