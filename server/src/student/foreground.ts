/** Probability of any segment: the sum of all, `[slice, row, column]` float32 each. */
export function sumForeground(foreground: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array(0), ...others] = foreground;
  if (others.length === 0) return first;
  const sums = first.slice();
  for (const values of others) addTo(sums, values);
  return sums;
}

function addTo(sums: Float32Array, values: Float32Array): void {
  for (let n = 0; n < sums.length; n++) sums[n]! += values[n]!;
}
