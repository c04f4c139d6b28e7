import type { Ops, Shape, Tensor } from '../engine/ops.ts';
import type { Random } from '../engine/random.ts';

/**
 * The copy-paste mask M (eq. 10): 1 everywhere but in one box, uniformly placed inside the frame.
 *
 * @param space [H,W] or [D,H,W].
 * @param share side of the box as a share of the frame's, in every axis; floor(share * size) pixels.
 * @returns [space...] float32, row-major, of 0 and 1.
 */
export function drawMixMask(random: Random, space: Shape, share: number): Float32Array {
  // 1 inside the box, axis by axis: a row of the box is made of rows of zeros and one of ones.
  let box = Uint8Array.of(1);
  for (const size of space) {
    const side = Math.floor(size * share + 1e-9);
    const start = random.int(size - side + 1);
    const outer = box;
    box = new Uint8Array(outer.length * size);
    for (let at = 0; at < outer.length; at++) box.fill(outer[at]!, at * size + start, at * size + start + side);
  }
  return new Float32Array(box).map((inside) => 1 - inside);
}

/** `image` where the mask is 1, `patch` where it is 0 (eq. 10). All [N,1,space...] or broadcastable. */
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
 * @param labels [N,1,space...] float32 holding whole numbers 0..classes-1.
 * @returns [N,C,space...] of 0 and 1, no gradient.
 */
export function oneHot(ops: Ops, labels: Tensor, classes: number): Tensor {
  const channels = Array.from({ length: classes }, (_, label) =>
    ops.mul(ops.greater(labels, ops.scalar(label - 0.5)), ops.lessEqual(labels, ops.scalar(label + 0.5))),
  );
  return ops.concat(channels, 1);
}
