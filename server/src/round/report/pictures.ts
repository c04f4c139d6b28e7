import { encode } from 'fast-png';
import type { Failure } from '../failures.ts';
import { type Html, html, raw } from './html.ts';

/** Of the outlines: told apart by colour and by dashes (Okabe and Ito). */
const truthColour = '#e69f00';
const maskColour = '#56b4e9';
const otherColour = '#cc79a7';

/** One outline on a slice. */
interface Outline {
  /** 1 inside, `[row, column]` uint8. */
  readonly mask: Uint8Array;
  readonly colour: string;
  /** Lengths of dashes and gaps; solid when empty. */
  readonly dashes: string;
}

interface Slice {
  readonly columns: number;
  /** `[row, column]` float32 in [0, 1]. */
  readonly image: Float32Array;
}

/** A slice with outlines, as an `<svg>` that needs nothing from elsewhere. */
function drawSlice({ columns, image }: Slice, outlines: readonly Outline[], label: string): Html {
  const rows = image.length / columns;
  const grey = Uint8ClampedArray.from(image, (value) => 255 * value);
  const png = Buffer.from(encode({ width: columns, height: rows, data: grey, channels: 1 })).toString('base64');
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${columns} ${rows}" width="${2.5 * columns}" height="${2.5 * rows}" role="img" aria-label="${label}">
<image width="${columns}" height="${rows}" style="image-rendering:pixelated" href="data:image/png;base64,${raw(png)}"/>
${outlines.map(
  ({ mask, colour, dashes }) =>
    html`<path d="${outline(mask, columns)}" fill="none" stroke="${colour}" stroke-width=".8" stroke-dasharray="${dashes}"/>\n`,
)}</svg>`;
}

/** A slice with the outlines of truth (solid) and mask (dashed), as one `<figure>`. */
export function failurePicture({ subject, dice, slice, columns, image, truth, mask }: Failure): Html {
  const outlines = [
    { mask: truth, colour: truthColour, dashes: '' },
    { mask, colour: maskColour, dashes: '2 1' },
  ];
  return html`<figure>
${drawSlice({ columns, image }, outlines, `${subject}, slice ${slice}: truth and mask`)}
<figcaption>${subject}, slice ${slice}: Dice ${dice.toFixed(3)}</figcaption>
</figure>`;
}

/** A slice with the outlines of truth (solid), of the version in service (dotted) and of a candidate (dashed). */
export function comparisonPicture(
  slice: Slice & { readonly truth: Uint8Array; readonly inService: Uint8Array; readonly candidate: Uint8Array },
  label: string,
): string {
  const outlines = [
    { mask: slice.truth, colour: truthColour, dashes: '' },
    { mask: slice.inService, colour: otherColour, dashes: '.8 1' },
    { mask: slice.candidate, colour: maskColour, dashes: '2 1' },
  ];
  return drawSlice(slice, outlines, label).text;
}

/** Along the edges of pixels, as path data: one line for each run of edges. */
function outline(mask: Uint8Array, columns: number): string {
  const rows = mask.length / columns;
  const isIn = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < columns && y < rows && mask[y * columns + x] === 1;
  const parts: string[] = [];
  for (let y = 0; y <= rows; y++) {
    addRuns(
      columns,
      (x) => isIn(x, y) !== isIn(x, y - 1),
      (from, to) => parts.push(`M${from} ${y}H${to}`),
    );
  }
  for (let x = 0; x <= columns; x++) {
    addRuns(
      rows,
      (y) => isIn(x, y) !== isIn(x - 1, y),
      (from, to) => parts.push(`M${x} ${from}V${to}`),
    );
  }
  return parts.join('');
}

function addRuns(length: number, isEdge: (at: number) => boolean, add: (from: number, to: number) => void): void {
  for (let at = 0; at < length; at++) {
    if (!isEdge(at)) continue;
    const from = at;
    while (at < length && isEdge(at)) at++;
    add(from, at);
  }
}
