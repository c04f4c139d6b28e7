import { createHash, randomUUID } from 'node:crypto';

/** A fresh UID under 2.25 (PS3.5 B.2: UUID as an integer). */
export function createUid(): string {
  return `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`;
}

/** The UID that always belongs to these words: the first 128 bits of their sha256. */
export function deriveUid(...words: readonly (string | number)[]): string {
  return `2.25.${BigInt(`0x${createHash('sha256').update(words.join('\0')).digest('hex').slice(0, 32)}`)}`;
}
