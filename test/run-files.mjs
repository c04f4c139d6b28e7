// Runs the test files named on the command line by node:test: unit files two at a time, the rest one by one, with one
// report and one set of counts at the end. An empty set, a failure or the time limit ends with code 1.
import { PassThrough } from 'node:stream';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { kindOf, kinds } from './test-files.mjs';

const MINUTE_MS = 60_000;
// Limits end what hangs; a quiet machine with two cores needs about a third of them.
const TOTAL_LIMIT_MS = 60 * MINUTE_MS;
const plans = {
  unit: { concurrency: 2, timeout: 5 * MINUTE_MS },
  // Shaders of an emulated GPU are compiled by the CPU, which takes both cores.
  device: { concurrency: 1, timeout: 10 * MINUTE_MS },
  integration: { concurrency: 1, timeout: 10 * MINUTE_MS },
  conformance: { concurrency: 1, timeout: 5 * MINUTE_MS },
  e2e: { concurrency: 1, timeout: 25 * MINUTE_MS },
};
const names = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo'];

const files = process.argv.slice(2);
const counts = Object.fromEntries(names.map((name) => [name, 0]));
const limit = new AbortController();
const timer = setTimeout(() => limit.abort(), TOTAL_LIMIT_MS);
const startedAt = performance.now();

/** Events of all runs in one stream, for one report. */
const events = new PassThrough({ objectMode: true });
const reported = new Promise((resolve) =>
  events.compose(spec).once('end', resolve).pipe(process.stdout, { end: false }),
);

/** node:test's closing counts of one run; they are summed and printed once. */
function takeCount({ type, data }) {
  const [, name, value] = /^(\w+) ([\d.]+)$/.exec(data?.message ?? '') ?? [];
  if (type !== 'test:diagnostic' || data.nesting !== 0 || data.file !== undefined) return false;
  if (name === 'duration_ms') return true;
  if (counts[name] === undefined) return false;
  counts[name] += Number(value);
  return true;
}

for (const kind of kinds) {
  const chosen = files.filter((file) => kindOf(file) === kind);
  if (chosen.length === 0 || limit.signal.aborted) continue;
  for await (const event of run({ files: chosen, ...plans[kind], signal: limit.signal })) {
    if (!takeCount(event)) events.write(event);
  }
}
events.end();
await reported;
clearTimeout(timer);

if (limit.signal.aborted) process.stdout.write(`The limit of ${TOTAL_LIMIT_MS / MINUTE_MS} minutes is over.\n`);
if (files.length === 0 || counts.tests === 0) process.stdout.write('No test was run, which counts as a failure.\n');
for (const name of names) process.stdout.write(`# ${name} ${counts[name]}\n`);
process.stdout.write(`# duration_ms ${Math.round(performance.now() - startedAt)}\n`);
const good = counts.tests > 0 && counts.fail === 0 && counts.cancelled === 0 && !limit.signal.aborted;
process.exit(good ? 0 : 1);
