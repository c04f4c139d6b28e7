import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeEnvelope, encodeEnvelope, sliceOf } from '../../../extension/src/api/envelope.ts';
import { correctionHead, labelmapHead } from '../../../server/src/http/contract.ts';
import * as server from '../../../server/src/labelmap/envelope.ts';

const head = { columns: 3, rows: 2, slices: ['1.2.3', '1.2.4'] };
const voxels = Uint8Array.of(0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255);

test('what the viewer encodes the server decodes to the same head and voxels', () => {
  const sent = {
    ...head,
    inferenceId: 'b7e5a2d8-6f0c-4a7b-9c58-0f3f1a1f6f10',
    kind: 'edited' as const,
    approvedSlices: ['1.2.4'],
  };
  const received = server.decodeEnvelope(encodeEnvelope({ head: sent, voxels }));
  assert.deepEqual(correctionHead.parse(received.head), sent);
  assert.deepEqual(received.labels, voxels);
});

test('what the server encodes the viewer decodes, slice by slice', () => {
  const envelope = decodeEnvelope(server.encodeEnvelope(head, voxels));
  assert.deepEqual(labelmapHead.parse(envelope.head), head);
  assert.deepEqual([...sliceOf(envelope, 0)], [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([...sliceOf(envelope, 1)], [250, 251, 252, 253, 254, 255]);
});

test('any grid survives the round trip, also as a view into a larger buffer', () => {
  const grid = fc.record(
    {
      columns: fc.integer({ min: 1, max: 9 }),
      rows: fc.integer({ min: 1, max: 9 }),
      slices: fc.array(fc.stringMatching(/^1\.[1-9]\d{0,8}$/), { minLength: 1, maxLength: 5 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(grid, fc.integer({ min: 0, max: 7 }), fc.integer(), (random, shift, seed) => {
      const count = random.columns * random.rows * random.slices.length;
      const labels = Uint8Array.from({ length: count }, (_, index) => (index * 31 + seed) & 0xff);
      const bytes = encodeEnvelope({ head: random, voxels: labels });
      const buffer = new Uint8Array(bytes.length + shift);
      buffer.set(bytes, shift);
      const decoded = decodeEnvelope(buffer.subarray(shift));
      assert.deepEqual(decoded.head, random);
      assert.deepEqual(decoded.voxels, labels);
    }),
  );
});

test('a cut or foreign envelope is refused, never read past its end', () => {
  const bytes = encodeEnvelope({ head, voxels });
  assert.throws(() => decodeEnvelope(bytes.subarray(0, 3)), /too short/);
  assert.throws(() => decodeEnvelope(bytes.subarray(0, 20)), /exceeds/);
  assert.throws(() => decodeEnvelope(bytes.subarray(0, bytes.length - 1)), /11 voxels/);
  assert.throws(() => decodeEnvelope(Uint8Array.of(2, 0, 0, 0, 0x7b, 0x7d)), /lacks columns/);
  assert.throws(() => decodeEnvelope(Uint8Array.of(1, 0, 0, 0, 0x7b)), /not JSON/);
  assert.throws(() => encodeEnvelope({ head, voxels: voxels.subarray(1) }), /11 voxels/);
});
