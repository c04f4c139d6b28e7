import type { Arrays, LossProgram, Shape } from '../../server/src/engine/ops.ts';
import { Random } from '../../server/src/engine/random.ts';
import { dropoutShapes, probUnet2d, type UnetConfig } from '../../server/src/student/prob-unet.ts';
import { supervisedLoss } from '../../server/src/uncol/losses/supervised.ts';

/** Sizes of a batch, [N,1,H,W]. */
export interface BatchSize {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Student and supervised loss of stage 1 without the pasting before them, as `engine_step.py` has them. Inputs: `image`
 * and `region` [N,1,H,W], one-hot `truth` [N,C,H,W], and the dropout masks.
 */
export function stageOneProgram(config: UnetConfig, size: BatchSize): LossProgram {
  const { batch, height, width } = size;
  const dropout = dropoutShapes(config, batch, [height, width]);
  return {
    inputs: {
      image: [batch, 1, height, width],
      truth: [batch, config.classes, height, width],
      region: [batch, 1, height, width],
      ...Object.fromEntries(dropout.map((shape, level) => [`dropout${level}`, shape])),
    },
    build(ops, parameters, { image, truth, region, ...masks }) {
      const student = probUnet2d(ops, parameters, config, image!, { dropout: Object.values(masks) });
      const { value, terms } = supervisedLoss(ops, student.heads, truth!, region!);
      return { loss: value, terms };
    },
  };
}

/** A batch for {@link stageOneProgram}: bright discs in noise, a quarter of the pixels unknown. */
export function drawBatch(config: UnetConfig, size: BatchSize, seed: number): Arrays {
  const { batch, height, width } = size;
  const random = Random.for(seed, 'batch');
  const pixels = height * width;
  const arrays = Object.fromEntries(
    Object.entries(stageOneProgram(config, size).inputs).map(([name, shape]) => [name, new Float32Array(count(shape))]),
  );
  for (let sample = 0; sample < batch; sample += 1) {
    const [row, column] = [random.uniform(0.3, 0.7) * height, random.uniform(0.3, 0.7) * width];
    const radius = random.uniform(0.15, 0.3) * Math.min(height, width);
    for (let pixel = 0; pixel < pixels; pixel += 1) {
      const distance = Math.hypot(Math.floor(pixel / width) - row, (pixel % width) - column);
      const label = Math.max(0, config.classes - 1 - Math.floor(distance / (radius / (config.classes - 1))));
      arrays['image']![sample * pixels + pixel] = label + random.normal(0.5);
      arrays['truth']![(sample * config.classes + label) * pixels + pixel] = 1;
      arrays['region']![sample * pixels + pixel] = random.next() < 0.25 ? 0 : 1;
    }
  }
  for (const [level, drop] of config.dropout.entries()) {
    const mask = arrays[`dropout${level}`]!;
    for (let at = 0; at < mask.length; at += 1) mask[at] = random.next() < drop ? 0 : 1 / (1 - drop);
  }
  return arrays;
}

function count(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}
