/** Slices of a mask in the viewer's order, and those that the reader ticked as right. */
interface Ticked {
  readonly slices: readonly string[];
  readonly tickedSlices: readonly string[];
}

/** The ticked slices with one more, or without it. */
export function withTick({ tickedSlices }: Ticked, slice: string, isTicked: boolean): readonly string[] {
  const others = tickedSlices.filter((other) => other !== slice);
  return isTicked ? [...others, slice] : others;
}

/** The next slice without a tick, from the end on to the start again; null when every slice has one. */
export function nextUnticked({ slices, tickedSlices }: Ticked, from: string): string | null {
  const start = slices.indexOf(from) + 1;
  const ticked = new Set(tickedSlices);
  return [...slices.slice(start), ...slices.slice(0, start)].find((slice) => !ticked.has(slice)) ?? null;
}
