import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from '../../server/src/engine/ops.ts';
import { fromHalf } from '../../server/src/engine/vectors.ts';
import type { Card } from '../../server/src/registry/card.ts';
import { readVersion, readWeights, seedFolder } from '../../server/src/registry/registry.ts';
import { studentOf } from '../../server/src/student/architecture.ts';
import { sampleSpace } from '../../server/src/student/input.ts';
import type { Predict } from '../../server/src/student/predict.ts';
import { type SegmentedVolume, segmentVolume } from '../../server/src/student/segment.ts';
import type { Volume } from '../../server/src/volume/volume.ts';

/** A model of `models/`, version 1, ready to run. */
export interface Shipped {
  readonly card: Card;
  /** At most eight slices, or one window. */
  readonly predict: Predict;
  segment(volume: Volume): Promise<SegmentedVolume>;
  close(): Promise<void>;
}

export async function openShipped(engine: Engine, name: string): Promise<Shipped> {
  const version = await readVersion(join(fileURLToPath(seedFolder), name, '1'), 'seed');
  if (!version) throw new RangeError(`no model ${name}`);
  const { card } = version;
  const weights = fromHalf(await readWeights(version));
  const space = sampleSpace(card.input);
  const batch = space.length === 2 ? 8 : 1;
  const program = studentOf(card.architecture).inferenceProgram(batch, space);
  const predictor = await engine.predictor(program, { frozen: true });
  const predict: Predict = async (image) => {
    const { probabilities, entropy } = await predictor.run(weights, { image });
    if (!probabilities || !entropy) throw new RangeError('the student lacks an output');
    return { probabilities, entropy };
  };
  return {
    card,
    predict,
    segment: (volume) => segmentVolume(volume, card, predict, { batch }),
    close: () => predictor.dispose(),
  };
}
