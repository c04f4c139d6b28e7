import type { Engine } from '../../server/src/engine/ops.ts';
import type { Card } from '../../server/src/registry/card.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { sampleSpace } from '../../server/src/student/input.ts';
import type { Predict } from '../../server/src/student/predict.ts';
import { segmentVolume } from '../../server/src/student/segment.ts';
import type { Volume } from '../../server/src/volume/volume.ts';

const batch = 8;

/** The masks that weights would give a viewer, decided on each volume's own grid by the card's rules: `[slice, row, column]` segment numbers. */
export async function servedMasks(
  engine: Engine,
  card: Card,
  weights: Float32Array,
  volumes: readonly Volume[],
): Promise<readonly Uint8Array[]> {
  const program = studentOf(card.architecture).inferenceProgram(batch, sampleSpace(card.input));
  const predictor = await engine.predictor(program);
  const predict: Predict = async (images) => {
    const { probabilities, entropy } = await predictor.run(weights, { image: images });
    if (!probabilities || !entropy) throw new RangeError('the student gave no answer');
    return { probabilities, entropy };
  };
  try {
    const masks: Uint8Array[] = [];
    for (const volume of volumes) masks.push((await segmentVolume(volume, card, predict, { batch })).labelmap.data);
    return masks;
  } finally {
    await predictor.dispose();
  }
}

/** Dice of everything labelled, where `counts` says so; 1 when both are empty there. */
export function overlap(
  labels: Uint8Array,
  truth: Uint8Array,
  counts: (voxel: number) => boolean = () => true,
): number {
  if (labels.length !== truth.length) throw new RangeError(`${labels.length} labels, ${truth.length} of truth`);
  let both = 0;
  let sum = 0;
  for (let voxel = 0; voxel < labels.length; voxel++) {
    if (!counts(voxel)) continue;
    const [found, wanted] = [labels[voxel] !== 0, truth[voxel] !== 0];
    if (found && wanted) both += 1;
    sum += Number(found) + Number(wanted);
  }
  return sum === 0 ? 1 : (2 * both) / sum;
}
