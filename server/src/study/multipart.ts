import { AppError } from '../errors/app-error.ts';

/** One part of a multipart/related answer. */
export interface MultipartPart {
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** Bounds that keep a faulty or hostile answer from filling the memory. */
export interface MultipartLimits {
  /** Parts of a stated length lie in the memory of the ones before, which are gone when the next one is asked for. */
  readonly reusesBytes?: boolean;
  readonly headerBytes: number;
  readonly partBytes: number;
  readonly totalBytes: number;
}

export const defaultMultipartLimits: MultipartLimits = {
  headerBytes: 16 * 1024,
  partBytes: 2 ** 30,
  totalBytes: 16 * 2 ** 30,
};

/** The boundary of a `multipart/related` Content-Type; undefined for other types. RFC 2046 5.1.1. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^\s*multipart\/related\b/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

/**
 * The parts of a multipart body as they arrive. The boundary is that of the Content-Type only. A part with a
 * Content-Length has exactly that many bytes and the delimiter right behind them; of others the delimiter is searched.
 *
 * @throws AppError `pacs-answer-invalid`: the body does not have this form, or exceeds a limit.
 * @throws AppError `pacs-unreachable`: the body ended before its closing delimiter.
 */
export async function* readMultipart(
  boundary: string,
  body: AsyncIterable<Uint8Array>,
  limits: MultipartLimits = defaultMultipartLimits,
): AsyncGenerator<MultipartPart> {
  const input = new Input(body, limits.totalBytes);
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  try {
    // The first delimiter may start the body; with a line break before it it looks like all others.
    input.unshift(Buffer.from('\r\n'));
    await input.takeUntil(delimiter, limits.headerBytes, 'preamble');
    while (!(await isClosing(input))) {
      const headers = parseHeaders(await readHeaderBlock(input, limits));
      yield { headers, body: await readBody(input, headers, delimiter, limits) };
    }
  } finally {
    await input.close();
  }
}

/** Reads what follows a delimiter: `--` closes the body, blanks and a line break open a part. */
async function isClosing(input: Input): Promise<boolean> {
  const mark = await input.take(2);
  if (mark.equals(Buffer.from('--'))) return true;
  if (!mark.equals(Buffer.from('\r\n'))) throw malformed('a delimiter is not followed by a line break');
  return false;
}

async function readHeaderBlock(input: Input, limits: MultipartLimits): Promise<string> {
  // A part without header fields starts with the empty line itself.
  input.unshift(Buffer.from('\r\n'));
  const block = await input.takeUntil(Buffer.from('\r\n\r\n'), limits.headerBytes, 'part header');
  return block.toString('latin1');
}

async function readBody(
  input: Input,
  headers: ReadonlyMap<string, string>,
  delimiter: Buffer,
  limits: MultipartLimits,
): Promise<Uint8Array> {
  const stated = headers.get('content-length');
  if (stated === undefined) return input.takeUntil(delimiter, limits.partBytes, 'part');
  const length = /^\d{1,15}$/.test(stated) ? Number(stated) : Number.NaN;
  if (!(length <= limits.partBytes)) throw malformed(`a part states a length of ${stated.slice(0, 20)} bytes`);
  const body = await input.take(length, limits.reusesBytes);
  const after = await input.take(delimiter.length);
  if (!after.equals(delimiter)) throw malformed(`a part is not ${length} bytes long as it states`);
  return body;
}

function parseHeaders(block: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of block.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

function malformed(reason: string): AppError {
  return new AppError('pacs-answer-invalid', `The multipart answer of the PACS is malformed: ${reason}.`, {});
}

/** A byte stream that can be read by count and by delimiter. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #totalLimit: number;
  #total = 0;
  #reused = new ArrayBuffer(0);
  #held: Buffer = Buffer.alloc(0);

  constructor(body: AsyncIterable<Uint8Array>, totalLimit: number) {
    this.#source = body[Symbol.asyncIterator]();
    this.#totalLimit = totalLimit;
  }

  unshift(bytes: Buffer): void {
    this.#held = Buffer.concat([bytes, this.#held]);
  }

  /** Exactly `count` bytes, copied straight into a buffer of their own, or of all that are taken so. */
  async take(count: number, reusesBytes = false): Promise<Buffer> {
    if (reusesBytes && this.#reused.byteLength < count) this.#reused = new ArrayBuffer(count);
    const taken = Buffer.from(reusesBytes ? this.#reused : new ArrayBuffer(count), 0, count);
    let filled = this.#held.copy(taken, 0, 0, count);
    this.#held = this.#held.subarray(filled);
    while (filled < count) {
      const chunk = await this.#next();
      const used = chunk.copy(taken, filled);
      filled += used;
      this.#held = chunk.subarray(used);
    }
    return taken;
  }

  /** The bytes before the next `mark`, which is passed over; at most `limit`. */
  async takeUntil(mark: Buffer, limit: number, what: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let before = 0;
    for (;;) {
      const at = this.#held.indexOf(mark);
      if (at >= 0) {
        if (before + at > limit) throw malformed(`a ${what} is longer than ${limit} bytes`);
        chunks.push(this.#held.subarray(0, at));
        this.#held = this.#held.subarray(at + mark.length);
        return Buffer.concat(chunks);
      }
      // The end of what is held may be the start of the mark.
      const settled = Math.max(0, this.#held.length - mark.length + 1);
      chunks.push(this.#held.subarray(0, settled));
      before += settled;
      if (before > limit) throw malformed(`a ${what} is longer than ${limit} bytes`);
      this.#held = Buffer.concat([this.#held.subarray(settled), await this.#next()]);
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#source.next();
    if (done) throw new AppError('pacs-unreachable', 'The answer of the PACS ended before its end.', {});
    this.#total += value.length;
    if (this.#total > this.#totalLimit) throw malformed(`it is longer than ${this.#totalLimit} bytes`);
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
}
