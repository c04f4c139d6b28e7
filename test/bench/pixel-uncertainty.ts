import { Random } from '../../server/src/engine/random.ts';
import { seesSlices } from '../../server/src/registry/card.ts';
import { slicesOf } from '../../server/src/round/labelled-volume.ts';
import { prepareSubject } from '../../server/src/round/subjects.ts';
import type { Colin27 } from '../../server/src/sample/colin27.ts';
import { holdsContent } from '../../server/src/student/prepare.ts';
import type { Row } from './record.ts';
import type { Shipped } from './shipped-model.ts';

/** One pixel in forty: enough for the curves, and they need not stay in memory. */
const share = 0.025;
const coverages = [1, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5] as const;

interface Pixel {
  readonly entropy: number;
  readonly confidence: number;
  readonly isWrong: boolean;
}

/**
 * Risk over coverage and calibration, pixel by pixel on the network's grid, over moderate and wide subjects. None of a
 * model of windows.
 */
export async function measurePixels(
  { card, predict }: Shipped,
  colin: Colin27,
  seeds: readonly number[],
): Promise<readonly Row[]> {
  if (!seesSlices(card)) return [];
  const { task } = card.baseSet;
  const [columns, rows] = card.input.sizePx;
  const { classes } = card.architecture;
  const random = new Random(1);
  const seen: Pixel[] = [];
  for (const variation of ['sample', 'wide'] as const) {
    for (const seed of seeds) {
      for (const { image, label } of slicesOf(prepareSubject(colin, task, variation, seed, card.input))) {
        if (!holdsContent(image, columns)) continue;
        const { probabilities, entropy } = await predict(image, 1);
        for (let at = 0; at < columns * rows; at++) {
          if (random.next() > share) continue;
          const { found, confidence } = winner(probabilities, classes, columns * rows, at);
          seen.push({ entropy: entropy[at] ?? 0, confidence, isWrong: found !== (label[at] ?? 0) });
        }
      }
    }
  }
  const sorted = seen.toSorted((a, b) => a.entropy - b.entropy);
  const curve = coverages.map((coverage): Row => {
    const part = sorted.slice(0, Math.round(coverage * sorted.length));
    const error = part.filter(({ isWrong }) => isWrong).length / part.length;
    return { what: 'risk', model: card.name, coverage, error: Number(error.toFixed(5)), pixels: part.length };
  });
  const error = Number(calibrationError(seen, classes).toFixed(5));
  return [...curve, { what: 'calibration', model: card.name, expectedCalibrationError: error }];
}

/** The likeliest class of a pixel of [C,H,W]. */
function winner(probabilities: Float32Array, classes: number, pixels: number, at: number) {
  let found = 0;
  for (let c = 1; c < classes; c++) {
    if ((probabilities[c * pixels + at] ?? 0) > (probabilities[found * pixels + at] ?? 0)) found = c;
  }
  return { found, confidence: probabilities[found * pixels + at] ?? 0 };
}

/** Mean over ten bins of confidence, from chance to 1, by their size, of |confidence - share of right pixels|. */
function calibrationError(seen: readonly Pixel[], classes: number): number {
  const bins = Array.from({ length: 10 }, () => ({ confidence: 0, right: 0 }));
  const least = 1 / classes;
  for (const { confidence, isWrong } of seen) {
    const bin = bins[Math.min(9, Math.floor((10 * (confidence - least)) / (1 - least)))];
    if (!bin) continue;
    bin.confidence += confidence;
    bin.right += isWrong ? 0 : 1;
  }
  return bins.reduce((sum, { confidence, right }) => sum + Math.abs(confidence - right), 0) / seen.length;
}
