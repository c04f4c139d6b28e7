/** What went to and came from a PACS. Sizes are those of bodies, without headers. */
export interface Traffic {
  readonly requests: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** Counts what its holders send and receive until somebody takes the count. */
export class TrafficMeter {
  #requests = 0;
  #receivedBytes = 0;
  #sentBytes = 0;

  add({ requests = 0, receivedBytes = 0, sentBytes = 0 }: Partial<Traffic>): void {
    this.#requests += requests;
    this.#receivedBytes += receivedBytes;
    this.#sentBytes += sentBytes;
  }

  /** The count since the last call; undefined when there was nothing. */
  take(): Traffic | undefined {
    const taken = { requests: this.#requests, receivedBytes: this.#receivedBytes, sentBytes: this.#sentBytes };
    if (taken.requests === 0 && taken.receivedBytes === 0 && taken.sentBytes === 0) return undefined;
    this.#requests = 0;
    this.#receivedBytes = 0;
    this.#sentBytes = 0;
    return taken;
  }
}
