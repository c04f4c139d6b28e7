import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundaryOf, defaultMultipartLimits, readMultipart } from '../../../server/src/study/multipart.ts';
import { refuses } from '../../fixtures/refuses.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The body cut into chunks of `size` bytes. */
async function* chunked(body: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

async function parts(body: string, size = 1000, limits = defaultMultipartLimits): Promise<string[]> {
  const found: string[] = [];
  for await (const part of readMultipart('frontier', chunked(latin1(body), size), limits)) {
    found.push(Buffer.from(part.body).toString('latin1'));
  }
  return found;
}

const head = '--frontier\r\nContent-Type: application/dicom\r\n';
const sized = (body: string, length = String(body.length)): string =>
  `${head}Content-Length: ${length}\r\n\r\n${body}\r\n`;
const unsized = (body: string): string => `${head}\r\n${body}\r\n`;
const close = '--frontier--\r\n';

test('parts with and without a length come out whole, however the body is cut', async () => {
  // Data that looks like delimiters, line breaks at its ends, and nothing at all.
  const bodies = ['\r\n--frontie', 'x\r\n', '', '\r\n--frontier2 is data only with a length', '\xff\x00\r\n\r\n'];
  const [a, b, c, d, e] = bodies as [string, string, string, string, string];
  const body = `${sized(a)}${unsized(b)}${unsized(c)}${sized(d)}${sized(e)}${close}`;
  for (const size of [1, 2, 3, 7, 64, 10_000]) assert.deepEqual(await parts(body, size), bodies);
});

test('a preamble, blanks after the header names and a missing last line break are accepted', async () => {
  const body = `ignored\r\n--frontier\r\ncontent-length :  3\r\n\r\nabc\r\n--frontier--`;
  assert.deepEqual(await parts(body), ['abc']);
  assert.deepEqual(await parts(`--frontier\r\n\r\nno header\r\n${close}`), ['no header']);
});

test('an answer without parts has none', async () => {
  assert.deepEqual(await parts('--frontier--'), []);
});

test('a body that ends early is a lost connection, never a shorter series', async () => {
  for (const body of [`${sized('abc')}`, `${unsized('abc')}`, `${head}\r\nabc`, sized('abc').slice(0, -4), '', head]) {
    await refuses(parts(body), 'pacs-unreachable', /ended before its end/);
  }
});

test('a body of another form is refused', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [`${sized('abcdef', '4')}${close}`, /not 4 bytes long/],
    [`${sized('abc', '9')}${close}${' '.repeat(40)}`, /not 9 bytes long/],
    [`${sized('abc', '-3')}${close}`, /length of -3/],
    [`${sized('abc', '99999999999999')}${close}`, /length of 99999999999999/],
    [`${sized('abc', '3x')}${close}`, /length of 3x/],
    [`${head}X: ${'y'.repeat(20_000)}\r\n\r\nabc\r\n${close}`, /part header is longer/],
    ['{"error":"not found"}'.repeat(2000), /preamble is longer/],
    [`--frontierX\r\n\r\nabc\r\n${close}`, /not followed by a line break/],
  ];
  for (const [body, message] of cases) await refuses(parts(body), 'pacs-answer-invalid', message);
});

test('parts and bodies over their limit are refused, also in the first chunk', async () => {
  const limits = { headerBytes: 1000, partBytes: 100, totalBytes: 500 };
  const long = 'z'.repeat(101);
  await refuses(parts(`${unsized(long)}${close}`, 1000, limits), 'pacs-answer-invalid', /part is longer than 100/);
  await refuses(parts(`${sized(long)}${close}`, 1000, limits), 'pacs-answer-invalid', /length of 101/);
  const many = unsized('abc').repeat(20);
  await refuses(parts(`${many}${close}`, 10, limits), 'pacs-answer-invalid', /longer than 500/);
});

test('a reader that stops early closes the source', async () => {
  let closed = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield latin1(sized('abc'));
    } finally {
      closed = true;
    }
  }
  for await (const part of readMultipart('frontier', source())) {
    assert.equal(part.body.length, 3);
    break;
  }
  assert.equal(closed, true);
});

test('the boundary is read from the Content-Type in its forms', () => {
  assert.equal(boundaryOf('multipart/related; type="application/dicom"; boundary=abc'), 'abc');
  assert.equal(boundaryOf('Multipart/Related;boundary="a b:c";type=application/dicom'), 'a b:c');
  assert.equal(boundaryOf('multipart/related; type="application/dicom"'), undefined);
  assert.equal(boundaryOf('application/dicom; boundary=abc'), undefined);
});
