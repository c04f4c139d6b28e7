import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { SegRequest } from '../../server/src/seg/write.ts';
import { writeSeg } from '../../server/src/seg/write.ts';
import { cutFrame, openOneBitFrames } from '../../server/src/study/one-bit-frame.ts';
import { makeBall } from '../fixtures/make-ball.ts';
import { makeSeries } from '../fixtures/make-series.ts';
import { randomSegRequest } from '../fixtures/seg-request.ts';
import { type ServerUnderTest, startServer } from './server-under-test.ts';

const accept = { accept: 'multipart/related; type=application/octet-stream; transfer-syntax=*' };

describe('SEGs whose frames do not fill whole words', () => {
  let server: ServerUnderTest;
  before(async () => {
    server = await startServer();
  });
  after(() => server?.close());

  const addressOf = ({ source, seriesInstanceUid, sopInstanceUid }: SegRequest) =>
    `${server.url}/dicom-web/studies/${source.studyInstanceUid}/series/${seriesInstanceUid}/instances/${sopInstanceUid}`;

  for (const size of [
    [13, 7, 6],
    [15, 24, 5],
  ] as const) {
    it(`are not given whole to the viewer, which would misread them, but frame by frame: ${size.join(' x ')}`, async () => {
      const request = randomSegRequest(size[0], size);
      const { bytes } = writeSeg(request);
      await server.pacs.store(bytes);
      const whole = await fetch(addressOf(request));
      assert.deepEqual([whole.status, ((await whole.json()) as { code: string }).code], [406, 'frames-unaligned']);
      const seg = openOneBitFrames(bytes);
      for (let number = 1; number <= seg.frames; number++) {
        const frame = await fetch(`${addressOf(request)}/frames/${number}`, { headers: accept });
        assert.equal(frame.status, 200);
        assert.deepEqual(await onlyPart(frame), Buffer.from(cutFrame(seg, number) ?? assert.fail()));
      }
      const beyond = await fetch(`${addressOf(request)}/frames/${seg.frames + 1}`, { headers: accept });
      assert.equal(beyond.status, 404);
    });
  }

  it('are told from those whose frames do, which pass as they are', async () => {
    const request = randomSegRequest(32, [16, 7, 6]);
    const { bytes } = writeSeg(request);
    await server.pacs.store(bytes);
    assert.ok((await onlyPart(await fetch(addressOf(request)))).equals(bytes));
    const frame = await fetch(`${addressOf(request)}/frames/1`, { headers: accept });
    assert.deepEqual(await onlyPart(frame), Buffer.from(cutFrame(openOneBitFrames(bytes), 1) ?? assert.fail()));
  });

  it('are told from images of such a size', async () => {
    const { studyInstanceUid, seriesInstanceUid, sopInstanceUids, files } = makeSeries(makeBall());
    await server.pacs.store(files[0] ?? assert.fail());
    const path = `studies/${studyInstanceUid}/series/${seriesInstanceUid}/instances/${sopInstanceUids[0]}`;
    const image = await fetch(`${server.url}/dicom-web/${path}/frames/1`, { headers: accept });
    assert.equal((await onlyPart(image)).length, 64 * 48 * 2);
  });
});

/** Body of the only part of a multipart answer. */
async function onlyPart(response: Response): Promise<Buffer> {
  const boundary = /boundary="?([^";]+)/.exec(response.headers.get('content-type') ?? '')?.[1];
  const body = Buffer.from(await response.arrayBuffer());
  return body.subarray(body.indexOf('\r\n\r\n') + 4, body.lastIndexOf(`\r\n--${boundary}`));
}
