import { fromHalf, toHalf } from '../engine/vectors.ts';
import type { EmbeddingCache } from '../uncol/teachers/embedding-cache.ts';
import { type CacheFolder, openCacheFolder } from './cache-folder.ts';

/** An {@link EmbeddingCache} in a folder. */
export interface EmbeddingFolder extends EmbeddingCache, Pick<CacheFolder, 'counts'> {}

/** Keeps encodings as half-precision numbers, at most `quotaBytes` of them. */
export async function openEmbeddingFolder(folder: string, quotaBytes: number): Promise<EmbeddingFolder> {
  const cache = await openCacheFolder(folder, quotaBytes);
  return {
    counts: cache.counts,
    async get(key) {
      const half = await cache.get(key);
      return half && fromHalf(half);
    },
    async set(key, values) {
      const half = toHalf(values);
      await cache.set(key, half);
      return fromHalf(half);
    },
  };
}
