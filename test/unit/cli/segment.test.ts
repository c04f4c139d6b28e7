import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runSegment } from '../../../server/src/cli/segment.ts';

const authorizations: (string | undefined)[] = [];
/** Holds nothing, and notes who asks. */
const server = createServer((request, response) => {
  authorizations.push(request.headers.authorization);
  response.setHeader('content-type', 'application/dicom+json').end('[]');
});
let home: string;
let url: string;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'uncol-cli-'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/dicom-web`;
  const file = join(home, 'pacs.json');
  await writeFile(file, JSON.stringify({ token: 'secret' }));
  process.env['UNCOL_HOME'] = home;
  process.env['UNCOL_PACS_CREDENTIALS_FILE'] = file;
});
after(async () => {
  for (const name of ['UNCOL_HOME', 'UNCOL_PACS_URL', 'UNCOL_PACS_CREDENTIALS_FILE']) delete process.env[name];
  await new Promise((resolve) => server.close(resolve));
  await rm(home, { recursive: true });
});

test('the credentials of the PACS go to its own address and to no other', async () => {
  const source = `${url}/studies/1.2/series/1.2.3`;
  for (const [pacsUrl, expected] of [
    [url, 'Bearer secret'],
    ['https://pacs.example/dicom-web', undefined],
  ] as const) {
    process.env['UNCOL_PACS_URL'] = pacsUrl;
    await assert.rejects(runSegment({ source, format: 'dicom-seg', pixels: 'native', out: join(home, 'out.dcm') }), {
      code: 'series-not-found',
    });
    assert.equal(authorizations.at(-1), expected);
  }
});

test('an encoding that a format does not have is refused before anything is read', async () => {
  for (const [format, pixels] of [
    ['dicom-seg', 'rle'],
    ['nifti', 'deflated'],
  ] as const) {
    await assert.rejects(runSegment({ source: '/nowhere', format, pixels, out: join(home, 'out') }), {
      code: 'request-invalid',
      message: `A file of format ${format} has no pixels of encoding ${pixels}.`,
    });
  }
});
