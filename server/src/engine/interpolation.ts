/** Linear weights from `size` samples to twice as many, corners on corners: [size, 2 size], or its transpose. */
export function interpolation(size: number, swapped: boolean): Float32Array {
  const weights = new Float32Array(2 * size * size);
  for (let target = 0; target < 2 * size; target += 1) {
    const position = (target * (size - 1)) / (2 * size - 1);
    const low = Math.min(Math.floor(position), size - 1);
    const share = position - low;
    for (const [source, weight] of [
      [low, 1 - share],
      [low + 1, share],
    ] as const) {
      if (weight === 0 || source >= size) continue;
      weights[swapped ? target * size + source : source * 2 * size + target] = weight;
    }
  }
  return weights;
}
