import type { Colin27 } from './colin27.ts';
import { chamferDistance } from './distance.ts';

/** What CT shows at a voxel, which a T1 image does not say by brightness alone: bone, fluid and air are all dark. */
export const ctZones = {
  /** What the skull holds. */
  inside: 0,
  /** Dark in T1 and inside the head. */
  bone: 1,
  /** Bright in T1, where a thicker skull than Colin27's would be bone. */
  scalp: 2,
  soft: 3,
  air: 4,
  eye: 5,
  /** Air cells in bone, of which some people have many and others none. */
  mastoid: 6,
} as const;

/** The Colin27 head as CT sees it. */
export interface CtAnatomy {
  /** `8192 * zone + 256 * shell + t1`, `[slice, row, column]` uint16; shell and t1 as in {@link Colin27.tissue}. */
  readonly codes: Uint16Array;
  /** 1 in the intracranial cavity, `[slice, row, column]` uint8. */
  readonly inside: Uint8Array;
}

/** Entries of a table indexed by {@link CtAnatomy.codes}. */
export const ctCodes = 65536;

/** Darker is bone, or air, wherever the head is solid. */
const darkT1 = 50;
/** Darker is air where it is wider than cortical bone. */
const airT1 = 16;
/** As bright as fluid, which bone is not. */
const fluidT1 = 36;
/** Distance from the brain that is inside the skull whatever it looks like, mm. */
const fluidMm = 2;
/** Gaps of the brain narrower than twice this hold fluid: cisterns, fissures, mm. */
const gapMm = 6;
/** Skin, which is mixed with air at the rim, mm. */
const skinMm = 5;
/** Half the width of the narrowest air that is not taken for cortical bone, mm. */
const airMm = 2;
/** Sinuses, nose and throat lie in front of the ears and below the vault, mastoids beside the ears, atlas voxels. */
const firstSinusRow = 118;
const lastSinusSlice = 82;
const firstMastoidRow = 70;
const lastMastoidSlice = 38;
/** Bone between them and the brain, mm from the brain. */
const mastoidWallMm = 4;
/** The vault begins here, atlas slices; below, bone is not of one thickness. */
const lowestVault = 42;
/** Centres of the eyes, atlas voxels, and how far they reach. */
const eyes = [
  [58, 186, 34],
  [122, 186, 34],
] as const;
const eyeMm = 14;

const known = new WeakMap<Colin27, CtAnatomy>();

/** Tells bone, air and fluid of Colin27 apart, once a process; about 2 s. */
export function ctAnatomyOf(colin: Colin27): CtAnatomy {
  const found = known.get(colin) ?? readAnatomy(colin);
  known.set(colin, found);
  return found;
}

function readAnatomy({ t1, brain, tissue }: Colin27): CtAnatomy {
  const { size } = t1.geometry;
  const [columns, rows] = size;
  const within = (mask: Uint8Array, mm: number): Uint8Array =>
    chamferDistance(mask, size, 3 * mm + 1).map((thirds) => Number(thirds <= 3 * mm));
  const not = (mask: Uint8Array): Uint8Array => mask.map((value) => 1 - value);
  const outside = airAround(t1.data, size);
  const rim = within(outside, skinMm);
  // Dark voids that an opening keeps.
  const isVoid = t1.data.map((value) => Number(value < airT1));
  const cavities = within(not(within(not(isVoid), airMm)), airMm);
  const gaps = not(within(not(within(brain, gapMm)), gapMm));
  const codes = new Uint16Array(tissue.length);
  const inside = new Uint8Array(tissue.length);
  for (let n = 0; n < codes.length; n++) {
    const code = tissue[n]!;
    const shell = code >> 8;
    const row = Math.floor(n / columns) % rows;
    const slice = Math.floor(n / (columns * rows));
    const isDark = t1.data[n]! < darkT1;
    let zone: number = ctZones.soft;
    if (shell <= fluidMm || (gaps[n] === 1 && t1.data[n]! >= fluidT1)) zone = ctZones.inside;
    else if (outside[n] === 1) zone = ctZones.air;
    else if (isEye(n % columns, row, slice)) zone = isDark ? ctZones.eye : ctZones.soft;
    else if (cavities[n] === 1 && row >= firstSinusRow && slice <= lastSinusSlice) zone = ctZones.air;
    else if (cavities[n] === 1 && row >= firstMastoidRow && slice <= lastMastoidSlice && shell > mastoidWallMm)
      zone = ctZones.mastoid;
    else if (rim[n] === 0) zone = isDark ? ctZones.bone : slice >= lowestVault ? ctZones.scalp : ctZones.soft;
    if (zone === ctZones.inside) inside[n] = 1;
    codes[n] = 8192 * zone + code;
  }
  return { codes, inside };
}

function isEye(i: number, j: number, k: number): boolean {
  return eyes.some(([x, y, z]) => (i - x) ** 2 + (j - y) ** 2 + (k - z) ** 2 <= eyeMm ** 2);
}

/** The air about the head, `[slice, row, column]` uint8: what is dark and hangs together with the faces other than the lowest. */
function airAround(t1: Uint8Array, [columns, rows, slices]: readonly [number, number, number]): Uint8Array {
  const air = new Uint8Array(t1.length);
  const plane = columns * rows;
  const queue = new Int32Array(t1.length);
  let last = 0;
  const reach = (n: number): void => {
    if (air[n] === 1 || t1[n]! >= airT1) return;
    air[n] = 1;
    queue[last++] = n;
  };
  for (let n = 0; n < t1.length; n++) {
    const i = n % columns;
    const j = Math.floor(n / columns) % rows;
    if (i === 0 || j === 0 || i === columns - 1 || j === rows - 1 || n >= plane * (slices - 1)) reach(n);
  }
  for (let first = 0; first < last; first++) {
    const n = queue[first]!;
    const i = n % columns;
    const j = Math.floor(n / columns) % rows;
    if (i > 0) reach(n - 1);
    if (i < columns - 1) reach(n + 1);
    if (j > 0) reach(n - columns);
    if (j < rows - 1) reach(n + columns);
    if (n >= plane) reach(n - plane);
    if (n < plane * (slices - 1)) reach(n + plane);
  }
  return air;
}
