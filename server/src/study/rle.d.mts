/** Types of `rle.mjs`, which threads run as it is. */
export function decodeRle(
  input: Uint8Array,
  output: Uint8Array,
  attributes: { readonly bitsAllocated: 8 | 16 },
): number;
