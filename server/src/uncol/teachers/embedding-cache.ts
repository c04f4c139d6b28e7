/** Where encodings are kept, so that a slice is encoded once. Values may come back rounded to half precision. */
export interface EmbeddingCache {
  get(key: string): Promise<Float32Array | undefined>;
  /** @returns the values as they will come back. */
  set(key: string, values: Float32Array): Promise<Float32Array>;
}

/** Keeps the latest `count` arrays in memory. */
export function memoryCache(count: number): EmbeddingCache {
  const kept = new Map<string, Float32Array>();
  return {
    get: async (key) => kept.get(key),
    async set(key, values) {
      kept.delete(key);
      kept.set(key, values);
      const oldest = kept.keys().next().value;
      if (kept.size > count && oldest !== undefined) kept.delete(oldest);
      return values;
    },
  };
}
