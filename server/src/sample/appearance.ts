import { Random } from '../engine/random.ts';
import { type Colin27, tissueCodes } from './colin27.ts';
import type { Variation, VariationName } from './variation.ts';

/**
 * What a subject looks like before bias field and noise. Levels of MR: 0 = no signal, about 0.85 = white matter in T1;
 * of CT: attenuation relative to water, 0 = air.
 */
export interface Appearance {
  /** What lies at each voxel of Colin27, `[slice, row, column]` uint16. */
  readonly codes: Uint16Array;
  /** Level of each code, float32. */
  readonly levels: Float32Array;
  /** Level beyond the atlas. */
  readonly air: number;
  /** Level of white or grey matter, whichever is brighter: lesions are brighter than this. */
  readonly brightTissue: number;
  /** The rest of the head was removed. */
  readonly isStripped: boolean;
}

type Kind = 't1' | 't2' | 'pd' | 'flair' | 'inverted' | 'random';

interface Tissues {
  readonly csf: number;
  readonly grey: number;
  readonly white: number;
  readonly vessel: number;
  readonly air: number;
  readonly bone: number;
  readonly muscle: number;
  readonly fat: number;
}

const kinds: Readonly<Record<Exclude<Kind, 'random'>, Tissues>> = {
  t1: { csf: 0.25, grey: 0.6, white: 0.85, vessel: 0.9, air: 0, bone: 0.15, muscle: 0.5, fat: 1.25 },
  t2: { csf: 1.1, grey: 0.62, white: 0.45, vessel: 0.2, air: 0, bone: 0.12, muscle: 0.3, fat: 0.8 },
  pd: { csf: 0.75, grey: 0.85, white: 0.65, vessel: 0.4, air: 0, bone: 0.15, muscle: 0.5, fat: 0.9 },
  flair: { csf: 0.15, grey: 0.75, white: 0.6, vessel: 0.4, air: 0, bone: 0.12, muscle: 0.35, fat: 0.8 },
  inverted: { csf: 1, grey: 0.7, white: 0.4, vessel: 0.3, air: 0, bone: 0.2, muscle: 0.6, fat: 0.3 },
};

/** Code of a voxel far from the head. */
const airCode = tissueCodes - 256;

/**
 * Draws the contrast of an MR subject: brightness by tissue, tone curve, gamma.
 *
 * @param only Weighting of every subject of the sample set; undefined: drawn.
 * @param gammaFactor Multiplies the exponent (2 in domain G).
 */
export function drawAppearance(
  colin: Colin27,
  seed: number,
  name: VariationName,
  variation: Variation,
  only: 't1' | 'inverted' | undefined,
  gammaFactor: number,
): Appearance {
  const random = Random.for(seed, 'appearance');
  const kind = drawKind(random, name, only);
  const tissues = drawTissues(random, kind, variation.tissueSd);
  const tone = drawTone(random, variation, gammaFactor);
  const isStripped = name === 'wide' && random.next() < 0.05;
  // Fluid around the brain, outside its mask, looks like fluid within.
  const fluidMm = Math.max(0.5, Math.min(6, random.normal(1.5) + 3));
  const brain = brainCurve(tissues);
  const head = headCurve(tissues);
  const levels = new Float32Array(tissueCodes);
  for (let code = 0; code < tissueCodes; code++) {
    const distanceMm = (code >> 8) - 1;
    const headShare = distanceMm < 0 ? 0 : Math.max(0, Math.min(1, (distanceMm - fluidMm) / 3 + 0.5));
    const t1 = code & 255;
    const level = isStripped && distanceMm >= 1 ? 0 : (1 - headShare) * brain(t1) + headShare * head(t1);
    levels[code] = level > 0 ? tone(level) : 0;
  }
  const air = levels[airCode] ?? 0;
  return { codes: colin.tissue, levels, air, isStripped, brightTissue: tone(Math.max(tissues.white, tissues.grey)) };
}

function drawKind(random: Random, name: VariationName, only: Kind | undefined): Kind {
  const u = random.next();
  if (name === 'sample') return only ?? (u < 0.6 ? 't1' : u < 0.8 ? 'pd' : 't2');
  if (u < 0.42) return 't1';
  if (u < 0.56) return 't2';
  if (u < 0.66) return 'pd';
  if (u < 0.76) return 'flair';
  return u < 0.85 ? 'inverted' : 'random';
}

function drawTissues(random: Random, kind: Kind, sd: number): Tissues {
  const around = (level: number): number => Math.max(0, level * (1 + random.normal(sd)) + random.normal(sd / 4));
  if (kind === 'random') {
    const level = (): number => random.uniform(0.1, 1.2);
    return {
      csf: level(),
      grey: level(),
      white: level(),
      vessel: level(),
      air: random.next() < 0.7 ? 0 : random.uniform(0, 0.3),
      bone: random.uniform(0, 0.6),
      muscle: level(),
      fat: level(),
    };
  }
  const base = kinds[kind];
  // Half of the clinical sequences suppress fat when contrast is varied widely.
  const isFatSuppressed = sd > 0.1 && random.next() < 0.35;
  return {
    csf: around(base.csf),
    grey: around(base.grey),
    white: around(base.white),
    vessel: around(base.vessel),
    air: base.air,
    bone: around(base.bone),
    muscle: around(base.muscle),
    fat: around(base.fat) * (isFatSuppressed ? random.uniform(0.15, 0.6) : 1),
  };
}

function drawTone(random: Random, variation: Variation, gammaFactor: number): (level: number) => number {
  const gamma = gammaFactor * Math.exp(random.normal(variation.gammaSd));
  const waves = [1, 2].map((frequency) => ({
    frequency: frequency * random.uniform(0.5, 1),
    height: random.normal(variation.toneSd),
    phase: random.uniform(0, 2 * Math.PI),
  }));
  return (level) => {
    let shifted = level;
    for (const wave of waves) {
      const height = wave.height * Math.min(1, level * 3);
      shifted += height * Math.sin(2 * Math.PI * wave.frequency * level + wave.phase);
    }
    return Math.max(0, shifted) ** gamma;
  };
}

function brainCurve(t: Tissues): (t1: number) => number {
  return curve([
    [15, 0.8 * t.csf],
    [45, t.csf],
    [80, t.grey],
    [112, t.white],
    [125, t.white],
    [180, t.vessel],
  ]);
}

function headCurve(t: Tissues): (t1: number) => number {
  return curve([
    [2, t.air],
    [22, t.bone],
    [34, t.bone],
    [62, t.muscle],
    [90, t.muscle],
    [150, 0.85 * t.fat],
    [215, t.fat],
  ]);
}

/** Straight lines through `points`, level beyond the ends. */
export function curve(points: readonly (readonly [number, number])[]): (x: number) => number {
  return (x) => {
    let before = points[0]!;
    for (const point of points) {
      if (x < point[0]) {
        if (point === before) return point[1];
        return before[1] + ((point[1] - before[1]) * (x - before[0])) / (point[0] - before[0]);
      }
      before = point;
    }
    return before[1];
  };
}
