/** Probability of any segment: the sum of all, `[slice, row, column]` float32 each. */
export function sumForeground(foreground: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array(0), ...others] = foreground;
  if (others.length === 0) return first;
  const sums = first.slice();
  for (let s = 0; s < others.length; s += 2) addTo(sums, others[s]!, others[s + 1]);
  return sums;
}

/** Two at a time: reading and writing the sums takes as long as adding. */
function addTo(sums: Float32Array, one: Float32Array, other: Float32Array | undefined): void {
  if (other === undefined) for (let n = 0; n < sums.length; n++) sums[n]! += one[n]!;
  else for (let n = 0; n < sums.length; n++) sums[n]! += one[n]! + other[n]!;
}
