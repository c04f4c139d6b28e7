import { Random } from '../engine/random.ts';
import { type Appearance, curve } from './appearance.ts';
import type { Colin27 } from './colin27.ts';
import { ctAnatomyOf, ctCodes, ctZones } from './ct-anatomy.ts';
import type { VariationName } from './variation.ts';

/** CT numbers of a subject, HU. */
interface CtNumbers {
  readonly air: number;
  readonly fluid: number;
  readonly white: number;
  readonly grey: number;
  readonly blood: number;
  readonly muscle: number;
  readonly fat: number;
  readonly diploe: number;
  readonly cortical: number;
  readonly mastoid: number;
}

/** First shell (mm from the brain) of the vault's bone. */
const innerTable = 3;

/**
 * Draws the CT numbers of a subject, and how thick and how dense its skull is.
 *
 * Colin27's own skull is 3 to 6 mm thick beside the brain; a thicker one takes of the soft parts around the vault.
 */
export function drawCtAppearance(colin: Colin27, seed: number, name: VariationName): Appearance {
  const random = Random.for(seed, 'appearance');
  const numbers = drawNumbers(random, name);
  /** Outer surface of the vault, mm from the brain. */
  const outerMm = 2 + random.uniform(3.5, 9);
  const tableMm = random.uniform(1.2, 2.5);
  const inside = curve([
    [45, numbers.fluid],
    [80, numbers.grey],
    [112, numbers.white],
    [125, numbers.white],
    [180, numbers.blood],
  ]);
  const soft = curve([
    [90, numbers.muscle],
    [140, 0.8 * numbers.fat],
    [200, numbers.fat],
  ]);
  const bone = curve([
    [22, numbers.cortical],
    [48, numbers.diploe],
  ]);
  const vault = (shell: number): number =>
    shell - innerTable < tableMm || outerMm - shell < tableMm ? numbers.cortical : numbers.diploe;
  const hu = (zone: number, shell: number, t1: number): number => {
    switch (zone) {
      case ctZones.inside:
        return inside(t1);
      case ctZones.bone:
        return bone(t1);
      case ctZones.scalp:
        return shell <= outerMm ? vault(shell) : soft(t1);
      case ctZones.air:
        return numbers.air;
      case ctZones.eye:
        return numbers.fluid;
      case ctZones.mastoid:
        return numbers.mastoid;
      default:
        return soft(t1);
    }
  };
  const levels = Float32Array.from({ length: ctCodes }, (_, code) =>
    Math.max(0, 1 + hu(code >> 13, (code >> 8) & 31, code & 255) / 1000),
  );
  const { codes } = ctAnatomyOf(colin);
  return { codes, levels, air: 0, isStripped: false, brightTissue: 1 + numbers.grey / 1000 };
}

function drawNumbers(random: Random, name: VariationName): CtNumbers {
  const isWide = name === 'wide';
  const white = isWide ? random.uniform(20, 33) : random.uniform(25, 30);
  // Contrast medium lifts vessels far more than brain.
  const isEnhanced = isWide && random.next() < 0.15;
  // Osteoporosis to dense bone, and tube voltages from 80 to 140 kV.
  const density = isWide ? random.uniform(0.6, 1.25) : random.uniform(0.85, 1.1);
  return {
    air: -1000,
    fluid: random.uniform(0, 15),
    white,
    grey: white + random.uniform(5, 10),
    blood: isEnhanced ? random.uniform(100, 300) : random.uniform(45, 60),
    muscle: random.uniform(45, 62),
    fat: random.uniform(-110, -75),
    diploe: density * random.uniform(300, 700),
    cortical: density * random.uniform(900, 1500),
    mastoid: random.uniform(-700, 500),
  };
}
