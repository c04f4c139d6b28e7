import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Response } from 'express';
import { encodeHead, forRuns } from '../../labelmap/envelope.ts';
import type { unpackDoubt } from '../../student/doubt.ts';

/**
 * Sends an envelope of where a network doubted, each slice mapped to the reader's grid when the one before is on its way: other
 * requests are answered in between, and the map is never there as a whole.
 */
export async function sendDoubt(
  { head, slices, sliceOf }: NonNullable<ReturnType<typeof unpackDoubt>>,
  response: Response,
): Promise<void> {
  function* envelope() {
    yield encodeHead(head);
    // A copy, because the next slice is written over this one while it still waits.
    for (let k = 0; k < slices; k++) yield sliceOf(k).slice();
  }
  await pipeline(Readable.from(envelope()), createGzip(forRuns), response).catch((error: NodeJS.ErrnoException) => {
    // The reader has gone.
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}
