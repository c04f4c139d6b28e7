/** Types of `jpeg-ls.mjs`, which threads run as it is. */
export interface FrameSize {
  readonly width: number;
  readonly height: number;
  readonly bitsAllocated: number;
}

export function loadJpegLs(): Promise<(input: Uint8Array, output: Uint8Array, attributes: FrameSize) => number>;
