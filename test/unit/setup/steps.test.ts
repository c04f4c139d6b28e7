import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { createSteps } from '../../../server/src/setup/steps.mjs';

/** A stream that is no terminal, or one, and what was written to it. */
function capture(isTTY: boolean): { out: NodeJS.WriteStream; text: () => string } {
  const stream = new PassThrough();
  const out = Object.assign(stream, { isTTY, columns: 60 }) as unknown as NodeJS.WriteStream;
  return { out, text: () => String(stream.read() ?? '') };
}

test('a step off a terminal ends with one plain line: title, percent, seconds', async () => {
  const { out, text } = capture(false);
  const answer = await createSteps(out).run('Database', async (progress) => {
    progress(0.5, 'half');
    return 42;
  });
  assert.equal(answer, 42);
  assert.match(text(), /^ {2}Database +100% +\d+\.\d s\n$/);
});

test('a failed step is marked, keeps its percentage and passes its error on', async () => {
  const { out, text } = capture(false);
  const run = createSteps(out).run('PACS', async (progress) => {
    progress(0.25);
    throw new Error('offline');
  });
  await assert.rejects(run, /offline/);
  assert.match(text(), /PACS +25% +\d+\.\d s {2}failed\n$/);
});

test('on a terminal a step keeps to one line that fits', async () => {
  const { out, text } = capture(true);
  await createSteps(out).run('Viewer', async (progress) => progress(1, 'x'.repeat(200)));
  const lines = text().split('\n');
  assert.equal(lines.length, 2);
  for (const line of lines[0]!.split('\r\x1b[2K')) assert.ok(line.length < 60);
});
