import { AppError } from '../errors/app-error.ts';
import { answerError } from './answer-error.ts';
import type { Connection, PacsAnswer } from './connection.ts';
import { boundaryOf, defaultMultipartLimits, readMultipart } from './multipart.ts';
import type { TransferOptions } from './pacs.ts';
import type { PacsProfile } from './pacs-profiles.ts';
import { isPart10 } from './part10.ts';

/** Retrieves objects and remembers which Accept value this PACS takes. */
export class ObjectSource {
  readonly #connection: Connection;
  readonly #accept: PacsProfile['accept'];
  #rung = 0;

  constructor(connection: Connection, accept: PacsProfile['accept']) {
    this.#connection = connection;
    this.#accept = accept;
  }

  /**
   * The DICOM files below a path, e.g. `/studies/1/series/2`, as they arrive.
   *
   * @throws AppError `pacs-unreachable`, `pacs-refused`, `pacs-answer-invalid`; `series-not-found` for 404 and 410.
   */
  async *retrieve(path: string, options: TransferOptions = {}): AsyncGenerator<Uint8Array> {
    const answer = await this.#open(path, options.signal);
    const contentType = answer.headers.get('content-type') ?? '';
    const boundary = boundaryOf(contentType);
    const body = options.onBytes ? counted(answer.body, options.onBytes) : answer.body;
    if (boundary !== undefined) {
      const limits = { ...defaultMultipartLimits, reusesBytes: options.reusesBytes ?? false };
      for await (const part of readMultipart(boundary, body, limits))
        yield checked(part.body, part.headers.get('content-type'));
    } else if (/^\s*application\/dicom\s*(;|$)/i.test(contentType)) {
      yield checked(await readWhole(body), contentType);
    } else {
      await body.return(undefined);
      throw unexpected(contentType);
    }
  }

  async #open(path: string, signal: AbortSignal | undefined): Promise<PacsAnswer> {
    for (;;) {
      const accept = this.#accept[this.#rung] ?? this.#accept[0];
      const url = `${this.#connection.url}${path}`;
      const answer = await this.#connection.send({ method: 'GET', url, headers: { accept }, signal });
      const { status } = answer;
      if (status === 200) return answer;
      await answer.body.return(undefined);
      if (status === 404 || status === 410)
        throw new AppError('series-not-found', 'The PACS does not hold it.', { status });
      if ((status !== 406 && status !== 415) || this.#rung === this.#accept.length - 1) {
        throw answerError(status, answer.headers.get('retry-after'));
      }
      this.#rung++;
    }
  }
}

function checked(bytes: Uint8Array, contentType: string | undefined): Uint8Array {
  if (isPart10(bytes)) return bytes;
  throw unexpected(contentType ?? 'no Content-Type');
}

function unexpected(contentType: string): AppError {
  const type = contentType.slice(0, 80);
  return new AppError('pacs-answer-invalid', `The PACS answered "${type}" where DICOM objects were asked.`, {
    contentType: type,
  });
}

async function* counted(
  body: AsyncGenerator<Uint8Array>,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    onBytes(chunk.length);
    yield chunk;
  }
}

async function readWhole(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of body) {
    total += chunk.length;
    if (total > defaultMultipartLimits.partBytes) throw new AppError('pacs-answer-invalid', 'An object is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
