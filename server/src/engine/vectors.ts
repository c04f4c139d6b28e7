import type { ParameterTable, TrainingState } from './ops.ts';
import { Random } from './random.ts';

/** First weights of a network: each parameter from its own stream, so that a new layer does not change the others. */
export function initialise(table: ParameterTable, seed: number): Float32Array {
  const weights = new Float32Array(table.size);
  for (const { name, shape, offset, initial } of table.rows) {
    const values = weights.subarray(offset, offset + shape.reduce((product, size) => product * size, 1));
    if (initial.kind === 'ones') values.fill(1);
    if (initial.kind !== 'uniform') continue;
    const random = Random.for(seed, 'initialise', name);
    for (let index = 0; index < values.length; index += 1) {
      values[index] = random.uniform(-initial.bound, initial.bound);
    }
  }
  return weights;
}

/**
 * The parameters of one table out of a vector that follows another, by name: what is served out of what was trained. The
 * vector itself where the tables are the same.
 *
 * @throws RangeError when a parameter is missing or has another shape.
 */
export function pickParameters(weights: Float32Array, from: ParameterTable, to: ParameterTable): Float32Array {
  if (from.hash === to.hash) return weights;
  const picked = new Float32Array(to.size);
  for (const [row, values] of sharedRows(weights, from, to)) picked.set(values, row.offset);
  return picked;
}

/** The inverse of {@link pickParameters}: `base`, which follows `to`, with the parameters of `from` laid over it. */
export function placeParameters(
  base: Float32Array,
  to: ParameterTable,
  weights: Float32Array,
  from: ParameterTable,
): Float32Array {
  const placed = base.slice();
  const offsets = new Map(to.rows.map(({ name, offset }) => [name, offset]));
  for (const [row, values] of sharedRows(weights, from, from)) placed.set(values, offsets.get(row.name) ?? 0);
  return placed;
}

/** A state by the table `from` as one by the wider table `to`; what only `to` has starts anew, by `seed`. */
export function widenState(
  state: TrainingState,
  from: ParameterTable,
  to: ParameterTable,
  seed: number,
): TrainingState {
  if (from.hash === to.hash) return state;
  const fresh = initialise(to, seed);
  return {
    ...initialState(placeParameters(fresh, to, state.student, from)),
    ema: placeParameters(fresh, to, state.ema, from),
  };
}

/** Of each row of `to`: its values in a vector that follows `from`. */
function sharedRows(weights: Float32Array, from: ParameterTable, to: ParameterTable) {
  const rows = new Map(from.rows.map((row) => [row.name, row]));
  return to.rows.map((row) => {
    const source = rows.get(row.name);
    if (!source || source.shape.join() !== row.shape.join()) throw new RangeError(`parameter ${row.name}: not in both`);
    const length = row.shape.reduce((product, size) => product * size, 1);
    return [row, weights.subarray(source.offset, source.offset + length)] as const;
  });
}

/** The state before the first step; the EMA starts as a copy of the student. */
export function initialState(weights: Float32Array): TrainingState {
  return {
    step: 0,
    student: weights.slice(),
    ema: weights.slice(),
    firstMoment: new Float32Array(weights.length),
    secondMoment: new Float32Array(weights.length),
  };
}

/** IEEE 754 half precision, little-endian, rounded to nearest even; too large becomes infinity. */
export function toHalf(values: Float32Array): Uint8Array {
  const single = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bytes = new Uint8Array(2 * values.length);
  for (let index = 0; index < single.length; index += 1) {
    const half = halfBits(single[index]!);
    bytes[2 * index] = half & 255;
    bytes[2 * index + 1] = half >>> 8;
  }
  return bytes;
}

/** The inverse of {@link toHalf}; exact. */
export function fromHalf(bytes: Uint8Array): Float32Array {
  if (bytes.length % 2 !== 0) throw new RangeError(`fromHalf: ${bytes.length} bytes`);
  const values = new Float32Array(bytes.length / 2);
  for (let index = 0; index < values.length; index += 1) {
    const half = bytes[2 * index]! | (bytes[2 * index + 1]! << 8);
    const exponent = (half >>> 10) & 31;
    const fraction = half & 1023;
    const sign = half & 0x8000 ? -1 : 1;
    if (exponent === 31) values[index] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else if (exponent === 0) values[index] = sign * fraction * 2 ** -24;
    else values[index] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return values;
}

function halfBits(single: number): number {
  const sign = (single >>> 16) & 0x8000;
  const magnitude = single & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65520 and above rounds to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  // Subnormal halves: multiples of 2^-24.
  if (magnitude < 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return sign | (kept + (rest > middle || (rest === middle && (kept & 1) === 1) ? 1 : 0));
}
