/**
 * Least and greatest of integers of two bytes; infinite, and in reverse, when there is none.
 *
 * Two values are looked at by one word each: as it is it lies between two others as its higher half does, and shifted, as
 * its lower half. One unsigned comparison then tells that a value is neither less than the least nor more than the most.
 */
export function wordRange(values: Int16Array | Uint16Array): readonly [least: number, most: number] {
  if (values.length === 0) return [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  // The first value stands alone when it lies in the second half of a word.
  const first = (values.byteOffset / 2) & 1;
  const words = new Int32Array(values.buffer, values.byteOffset + 2 * first, (values.length - first) >> 1);
  let low = values[0]!;
  let high = low;
  const widen = (from: number, to: number): void => {
    for (let n = from; n < to; n++) {
      low = Math.min(low, values[n]!);
      high = Math.max(high, values[n]!);
    }
  };
  let base = low << 16;
  let span = 0xffff;
  let n = 0;
  for (const end = words.length - 3; n < end; n += 4) {
    const a = words[n]!;
    const b = words[n + 1]!;
    const c = words[n + 2]!;
    const d = words[n + 3]!;
    if (
      (a - base) >>> 0 > span ||
      ((a << 16) - base) >>> 0 > span ||
      (b - base) >>> 0 > span ||
      ((b << 16) - base) >>> 0 > span ||
      (c - base) >>> 0 > span ||
      ((c << 16) - base) >>> 0 > span ||
      (d - base) >>> 0 > span ||
      ((d << 16) - base) >>> 0 > span
    ) {
      widen(first + 2 * n, first + 2 * n + 8);
      base = low << 16;
      span = (((high - low) << 16) | 0xffff) >>> 0;
    }
  }
  widen(first + 2 * n, values.length);
  return [low, high];
}
