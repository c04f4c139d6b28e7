import { AppError } from '../errors/app-error.ts';
import type { Connection, PacsAnswer } from './connection.ts';

/** A JSON answer beyond this is not a search result. */
const maxAnswerBytes = 256 * 2 ** 20;

/**
 * The part of `XMLHttpRequest` that dicomweb-client uses, over a {@link Connection}; one object a request. The library
 * rejects with a bare "request failed"; `failure` keeps the reason.
 */
export class ConnectionXhr {
  readyState = 0;
  status = 0;
  response: unknown = null;
  responseType = '';
  onreadystatechange: (() => void) | undefined;
  onloadend: (() => void) | undefined;
  /** Why no answer could be given. */
  failure: unknown;
  readonly #connection: Connection;
  readonly #signal: AbortSignal | undefined;
  readonly #requestHeaders: Record<string, string> = {};
  #answerHeaders: ReadonlyMap<string, string> = new Map();
  #method: 'GET' | 'POST' = 'GET';
  #url = '';

  constructor(connection: Connection, signal?: AbortSignal) {
    this.#connection = connection;
    this.#signal = signal;
  }

  open(method: string, url: string): void {
    this.#method = method.toUpperCase() === 'POST' ? 'POST' : 'GET';
    // Wildcards and lists may travel as they are (RFC 3986 3.4), and some servers do not decode what dicomweb-client encodes.
    this.#url = url.replace(/%(2C|3F)/g, decodeURIComponent);
  }

  setRequestHeader(name: string, value: string): void {
    this.#requestHeaders[name.toLowerCase()] = value;
  }

  getResponseHeader(name: string): string | null {
    return this.#answerHeaders.get(name.toLowerCase()) ?? null;
  }

  getAllResponseHeaders(): string {
    return [...this.#answerHeaders].map(([name, value]) => `${name}: ${value}`).join('\r\n');
  }

  async send(body?: ArrayBuffer | Uint8Array): Promise<void> {
    try {
      const answer = await this.#connection.send({
        method: this.#method,
        url: this.#url,
        headers: { accept: 'application/dicom+json', ...this.#requestHeaders },
        ...(body ? { body: body instanceof Uint8Array ? body : new Uint8Array(body) } : {}),
        signal: this.#signal,
      });
      const text = await readText(answer);
      this.#answerHeaders = answer.headers;
      this.response = this.responseType === 'json' && answer.status < 300 ? parseJson(text, answer) : text;
      this.status = answer.status;
    } catch (error) {
      this.#fail(error);
    }
    this.readyState = 4;
    try {
      this.onreadystatechange?.();
    } catch (error) {
      // A throw inside the library's handler would leave its promise open for ever; as a failure it rejects.
      this.#fail(error);
      this.onreadystatechange?.();
    }
    this.onloadend?.();
  }

  #fail(error: unknown): void {
    this.failure = error;
    this.status = 0;
    this.response = null;
  }
}

async function readText(answer: PacsAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of answer.body) {
    total += chunk.length;
    if (total > maxAnswerBytes)
      throw new AppError('pacs-answer-invalid', `The answer exceeds ${maxAnswerBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Nothing found arrives as 204, as `[]`, or as 200 with an empty body of any type. */
function parseJson(text: string, answer: PacsAnswer): unknown {
  if (text.trim() === '') return [];
  try {
    return JSON.parse(text) ?? [];
  } catch (cause) {
    const contentType = (answer.headers.get('content-type') ?? 'none').slice(0, 80);
    throw new AppError(
      'pacs-answer-invalid',
      `The PACS answered ${contentType} where JSON was asked.`,
      { contentType },
      {
        cause,
      },
    );
  }
}
