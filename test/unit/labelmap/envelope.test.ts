import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { packEnvelope, pieceOf, unpackEnvelope } from '../../../server/src/labelmap/envelope.ts';

const head = { columns: 3, rows: 2, slices: ['1.2'] };

test('labels and head come back, however large they are', async () => {
  for (const voxels of [0, 1, 6, 300_000]) {
    const labels = Uint8Array.from({ length: voxels }, (_, n) => n % 7);
    const opened = await unpackEnvelope(await packEnvelope(head, labels));
    assert.deepEqual(opened.head, head);
    assert.deepEqual(Buffer.from(opened.labels), Buffer.from(labels));
  }
});

test('the size that gzip tells is believed as far as it does no harm', () => {
  const bytes = Buffer.alloc(3 << 20, 1);
  const packed = gzipSync(bytes);
  assert.equal(pieceOf(packed), bytes.length + 1);
  const tells = (size: number): Buffer => {
    const lies = Buffer.from(packed);
    lies.writeUInt32LE(size, lies.length - 4);
    return lies;
  };
  assert.equal(pieceOf(tells(2 ** 32 - 1)), 1032 * packed.length);
  assert.equal(pieceOf(Buffer.concat([Buffer.alloc(1 << 20), tells(2 ** 32 - 1)])), 1 << 26);
  // Pieces of a few bytes would be millions; nothing behind the end of gzip is looked at when it is inflated.
  const least = 1 << 20;
  const trailing = Buffer.concat([packed, Buffer.alloc(4)]);
  for (const small of [tells(5), trailing, Buffer.alloc(0), Buffer.alloc(3)]) assert.equal(pieceOf(small), least);
  assert.deepEqual(gunzipSync(trailing, { chunkSize: pieceOf(trailing) }), bytes);
});
