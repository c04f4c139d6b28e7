import type { Ops, Tensor } from '../engine/ops.ts';
import type { Random } from '../engine/random.ts';

/**
 * The copy-paste mask M (eq. 10): 1 everywhere but in one box, uniformly placed inside the frame.
 *
 * @param side of the box as a share of the frame's side; floor(share * size) pixels.
 * @returns [H,W] float32, row-major, of 0 and 1.
 */
export function drawMixMask(random: Random, height: number, width: number, side: number): Float32Array {
  const boxHeight = Math.floor(height * side + 1e-9);
  const boxWidth = Math.floor(width * side + 1e-9);
  const top = random.int(height - boxHeight + 1);
  const left = random.int(width - boxWidth + 1);
  const mask = new Float32Array(height * width).fill(1);
  for (let row = top; row < top + boxHeight; row++) mask.fill(0, row * width + left, row * width + left + boxWidth);
  return mask;
}

/** `image` where the mask is 1, `patch` where it is 0 (eq. 10). All [N,1,H,W] or broadcastable. */
export function paste(ops: Ops, image: Tensor, patch: Tensor, mask: Tensor): Tensor {
  return ops.add(ops.mul(image, mask), ops.mul(patch, outside(ops, mask)));
}

/** 1 - mask. */
export function outside(ops: Ops, mask: Tensor): Tensor {
  return ops.sub(ops.scalar(1), mask);
}

/**
 * Class indices as one-hot.
 *
 * @param labels [N,1,H,W] float32 holding whole numbers 0..classes-1.
 * @returns [N,C,H,W] of 0 and 1, no gradient.
 */
export function oneHot(ops: Ops, labels: Tensor, classes: number): Tensor {
  const channels = Array.from({ length: classes }, (_, label) =>
    ops.mul(ops.greater(labels, ops.scalar(label - 0.5)), ops.lessEqual(labels, ops.scalar(label + 0.5))),
  );
  return ops.concat(channels, 1);
}
