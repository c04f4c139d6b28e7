/**
 * Seeded random numbers (mulberry32). The same seed gives the same stream on every machine; `state` makes it resumable.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A stream of its own for a named purpose: independent of how much of this one was used. */
  static for(seed: number, ...labels: readonly (string | number)[]): Random {
    let hash = 2166136261 ^ seed;
    for (const character of labels.join('/')) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
    const random = new Random(hash);
    random.next();
    return random;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Uniform in [low, high). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Integer in [0, bound). */
  int(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** One of the items, each as likely. @throws RangeError when there is none. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.int(items.length)];
    if (item === undefined) throw new RangeError('Random.pick: there is nothing to pick from');
    return item;
  }

  /** Normal, mean 0, standard deviation `sd` (Box-Muller, two draws a value). */
  normal(sd = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return sd * radius * Math.cos(2 * Math.PI * this.next());
  }

  get state(): number {
    return this.#state;
  }

  set state(value: number) {
    this.#state = value >>> 0;
  }
}
