import { findComponents } from '../labelmap/components.ts';
import type { ImageSize } from './inputs.ts';

/** A box in pixels of a slice, edges included. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** How boxes are drawn round what was found. */
export interface BoxRule {
  /** Growth on each side, share of the frame's side, of each foreground class. */
  readonly margin: readonly number[];
  /** Boxes of one class at most, largest component first; 1 in the paper. */
  readonly components: number;
}

/** A component smaller than this share of the largest of its class is a speck, not a part. */
const smallestPart = 0.2;
/** Edges are moved outwards to multiples of this, so that a box that hardly moved is the same prompt as before. */
const edgeStep = 2;

/**
 * The prompts of one slice: boxes round the 8-connected components of each foreground class, grown by a margin and kept
 * inside the frame. One box round two organs of a pair would hold neither.
 *
 * @param labels class indices, [H,W].
 * @returns of each foreground class, class 1 first: its boxes, largest component first; none where it has no pixel.
 */
export function boxesOf(labels: Uint8Array, { classes, space }: ImageSize, rule: BoxRule): Box[][] {
  const [height = 0, width = 0] = space;
  return Array.from({ length: classes - 1 }, (_, index) => {
    const found = components(labels, height, width, index + 1).sort((a, b) => b.pixels - a.pixels);
    const least = smallestPart * (found[0]?.pixels ?? 0);
    return found
      .filter(({ pixels }) => pixels >= least)
      .slice(0, rule.components)
      .map(({ box }) => grow(box, height, width, rule.margin[index] ?? 0));
  });
}

/** Each component of a class, in reading order of its first pixel. */
function components(labels: Uint8Array, height: number, width: number, label: number) {
  const { runStart, runLength, runComponent, voxels } = findComponents(labels, [width, height, 1], label);
  const found = voxels.map((pixels) => ({ pixels, box: { top: height, left: width, bottom: -1, right: -1 } }));
  for (const [run, start] of runStart.entries()) {
    const box = found[runComponent[run]!]!.box;
    const [row, left] = [Math.floor(start / width), start % width];
    box.top = Math.min(box.top, row);
    box.left = Math.min(box.left, left);
    box.bottom = Math.max(box.bottom, row);
    box.right = Math.max(box.right, left + runLength[run]! - 1);
  }
  return found;
}

function grow(box: Box, height: number, width: number, margin: number): Box {
  const rows = margin * height;
  const columns = margin * width;
  const down = (edge: number) => Math.max(0, Math.floor(edge / edgeStep) * edgeStep);
  const up = (edge: number, size: number) => Math.min(size, Math.ceil(edge / edgeStep) * edgeStep) - 1;
  return {
    top: down(box.top - rows),
    left: down(box.left - columns),
    bottom: up(box.bottom + 1 + rows, height),
    right: up(box.right + 1 + columns, width),
  };
}
