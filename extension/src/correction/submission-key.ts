/** One envelope with the key under which it is handed in. */
export interface KeyedEnvelope {
  readonly key: string;
  readonly envelope: Uint8Array;
}

/**
 * Gives the same content the same Idempotency-Key, so that a retry after a lost answer cannot store a second SEG.
 *
 * @param previous The last try, or null.
 * @param createKey Source of a fresh key.
 */
export function keyEnvelope(
  envelope: Uint8Array,
  previous: KeyedEnvelope | null,
  createKey: () => string,
): KeyedEnvelope {
  if (previous !== null && isEqual(previous.envelope, envelope)) return previous;
  return { key: createKey(), envelope };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
