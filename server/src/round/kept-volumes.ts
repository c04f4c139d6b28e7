import { createHash } from 'node:crypto';
import type { CacheFolder } from '../store/cache-folder.ts';
import type { StudentInput } from '../student/input.ts';
import type { PreparedVolume } from '../student/prepare-volume.ts';
import type { SeriesAddress } from '../study/pacs.ts';
import { type VolumeAddress, volumeKey } from '../study/volume-address.ts';

/** Volumes that rounds have read before, as the network sees them. */
export interface KeptVolumes {
  /** The volume of a series, kept or made. */
  get(series: VolumeAddress, make: () => Promise<PreparedVolume>): Promise<PreparedVolume>;
}

/**
 * Keeps volumes from round to round, so that a study is fetched once. One is kept by what the PACS lists of its series:
 * a series that was deleted or has changed is read again, or fails as it would have.
 *
 * @param listInstances SOP Instance UIDs of a series as the PACS lists them now.
 */
export function keepVolumes(
  cache: CacheFolder,
  input: StudentInput,
  listInstances: (series: SeriesAddress) => Promise<readonly string[]>,
): KeptVolumes {
  return {
    async get(series, make) {
      const instances = await listInstances(series);
      // Nothing listed: what reads the series says why.
      if (instances.length === 0) return make();
      const key = JSON.stringify([volumeKey(series), instances.toSorted(), input]);
      const kept = await cache.get(key);
      const known = kept && unpack(kept);
      if (known) return known;
      const made = await make();
      await cache.set(key, pack(made));
      return made;
    },
  };
}

const hashBytes = 32;

/** SHA-256 of what follows; length of the grid; the grid as JSON; voxels, little-endian. */
function pack({ grid, image }: PreparedVolume): Buffer {
  const head = Buffer.from(JSON.stringify(grid));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  const body = Buffer.concat([length, head, Buffer.from(image.buffer, image.byteOffset, image.byteLength)]);
  return Buffer.concat([createHash('sha256').update(body).digest(), body]);
}

/** Undefined for bytes that are not whole: a round must not learn from them. */
function unpack(bytes: Buffer): PreparedVolume | undefined {
  const body = bytes.subarray(hashBytes);
  const hash = createHash('sha256').update(body).digest();
  if (!hash.equals(bytes.subarray(0, hashBytes))) return undefined;
  const start = 4 + body.readUInt32LE(0);
  const grid = JSON.parse(body.toString('utf8', 4, start)) as PreparedVolume['grid'];
  // Copied: a view needs an aligned start.
  return { grid, image: new Float32Array(new Uint8Array(body.subarray(start)).buffer) };
}
