import type { Random } from '../engine/random.ts';

/** A slice turned about its middle, degrees, and scaled. */
export interface Turn {
  readonly degrees: number;
  readonly scale: number;
}

/** Up to 15 degrees and 15 %. */
export function drawTurn(random: Random): Turn {
  return { degrees: random.uniform(-15, 15), scale: random.uniform(0.85, 1.15) };
}

/** The turn that leads back. */
export function undo({ degrees, scale }: Turn): Turn {
  return { degrees: -degrees, scale: 1 / scale };
}

/** An image [H,W] float32 after the turn, bilinear; 0 where it comes from outside. */
export function turn(image: Float32Array, width: number, { degrees, scale }: Turn): Float32Array {
  const height = image.length / width;
  const [centre, middle] = [(height - 1) / 2, (width - 1) / 2];
  const cos = Math.cos((degrees * Math.PI) / 180) / scale;
  const sin = Math.sin((degrees * Math.PI) / 180) / scale;
  return image.map((_, at) => {
    const y = Math.floor(at / width) - centre;
    const x = (at % width) - middle;
    return interpolate(image, width, height, centre + cos * y - sin * x, middle + sin * y + cos * x);
  });
}

/** Bilinear inside the image and half a pixel around it, where its border goes on; 0 beyond. */
export function interpolate(image: Float32Array, width: number, height: number, row: number, column: number): number {
  if (row < -0.5 || column < -0.5 || row > height - 0.5 || column > width - 0.5) return 0;
  const top = Math.min(height - 2, Math.max(0, Math.floor(row)));
  const left = Math.min(width - 2, Math.max(0, Math.floor(column)));
  const v = Math.min(1, Math.max(0, row - top));
  const u = Math.min(1, Math.max(0, column - left));
  const at = top * width + left;
  const upper = (image[at] ?? 0) * (1 - u) + (image[at + 1] ?? 0) * u;
  const lower = (image[at + width] ?? 0) * (1 - u) + (image[at + width + 1] ?? 0) * u;
  return upper * (1 - v) + lower * v;
}
