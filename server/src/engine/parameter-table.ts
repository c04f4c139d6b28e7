import { createHash } from 'node:crypto';
import type { Initial, ParameterRow, Parameters, ParameterTable, Shape, Tensor } from './ops.ts';

/** Collects what a text asks for: rows of the canonical vector in order of first request. */
export class ParameterCollector implements Parameters {
  readonly #rows = new Map<string, ParameterRow>();
  readonly #tensors = new Map<string, Tensor>();
  readonly #make: (row: ParameterRow) => Tensor;
  #size = 0;

  /** `make` gives the tensor behind a new row. */
  constructor(make: (row: ParameterRow) => Tensor) {
    this.#make = make;
  }

  get(name: string, shape: Shape, initial: Initial): Tensor {
    const known = this.#rows.get(name);
    if (known !== undefined) {
      if (known.shape.join() !== shape.join()) {
        throw new RangeError(`parameter ${name}: asked for as [${shape.join(',')}] and as [${known.shape.join(',')}]`);
      }
      return this.#tensors.get(name)!;
    }
    const row: ParameterRow = { name, shape: [...shape], offset: this.#size, initial };
    this.#size += shape.reduce((product, size) => product * size, 1);
    const tensor = this.#make(row);
    this.#rows.set(name, row);
    this.#tensors.set(name, tensor);
    return tensor;
  }

  table(): ParameterTable {
    const rows = [...this.#rows.values()];
    const layout = rows.map(({ name, shape, offset }) => [name, shape, offset]);
    return { rows, size: this.#size, hash: createHash('sha256').update(JSON.stringify(layout)).digest('hex') };
  }
}

/** The parameters of `table` as the given tensors, one a row, for a text that is read again. */
export function knownParameters(table: ParameterTable, tensors: readonly Tensor[]): Parameters {
  const byName = new Map(table.rows.map((row, index) => [row.name, tensors[index]!]));
  return {
    get: (name: string, shape: Shape) => {
      const tensor = byName.get(name);
      if (tensor === undefined || tensor.shape.join() !== shape.join()) {
        throw new RangeError(`parameter ${name}: [${shape.join(',')}] was not asked for the first time`);
      }
      return tensor;
    },
  };
}
