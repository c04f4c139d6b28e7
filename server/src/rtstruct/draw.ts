import { AppError } from '../errors/app-error.ts';
import type { LaidMask, Laying } from '../seg/lay-on-image.ts';
import { type Geometry, patientToIndex, voxelCount } from '../volume/geometry.ts';
import { fillPolygon, type Polygon } from './fill.ts';
import type { Contour, Region, RtStruct } from './read.ts';

/** A contour may lie this far from its slice, as a share of the distance between slices. */
const besideSlices = 0.1;
/** Corners are rounded to this, pixels: positions are written with few decimals, and a corner on a pixel centre must stay there. */
const cornerStep = 1e-3;

/** Types of contours that enclose pixels (PS3.3 C.8.8.6.1). */
const closed: ReadonlySet<string> = new Set(['CLOSED_PLANAR', 'CLOSEDPLANAR_XOR']);

/** A contour on its slice. */
interface Drawing {
  readonly slice: number;
  readonly polygon: Polygon;
  readonly type: string;
}

/**
 * The regions of an RTSTRUCT as class indices on the grid of an image: the pixels whose centre a contour encloses (see
 * `fillPolygon`). Contours of a region on one slice that lie within each other are holes and islands by turns; nothing is
 * made up between slices. Shown are the slices with a contour.
 *
 * @throws AppError `rtstruct-unsupported`: a wanted region has contours that enclose nothing by their type, that cross, or
 *   that are there twice, or two regions with different classes claim the same voxel; `import-grid-differs`: contours on
 *   no slice of the image or reaching beyond it, and `resample` is not set; `import-elsewhere`: no contour is on the image.
 */
export function drawRegions(rtStruct: RtStruct, { classes, image, resample }: Omit<Laying, 'maxVoxels'>): LaidMask {
  const labels = new Uint8Array(voxelCount(image));
  const shown = new Set<number>();
  const sheet = createSheet(image);
  let [all, beside, beyond, empty] = [0, 0, 0, 0];
  for (const region of rtStruct.regions) {
    const label = classes.get(region.number);
    if (label === undefined) continue;
    refuseOpen(region);
    all += region.contours.length;
    const drawings = region.contours.flatMap((contour) => layContour(contour, image) ?? []);
    beside += region.contours.length - drawings.length;
    for (const slice of new Set(drawings.map((drawing) => drawing.slice))) {
      const ofSlice = drawings.filter((drawing) => drawing.slice === slice);
      shown.add(slice);
      beyond += ofSlice.filter(({ polygon }) => reachesBeyond(polygon, image)).length;
      const { inside, emptyContours } = combine(ofSlice, sheet, region.number);
      empty += emptyContours;
      paint(labels, inside, slice * image.size[0] * image.size[1], { region: region.number, label });
    }
  }
  if (all > 0 && beside === all) {
    throw new AppError('import-elsewhere', `None of the ${all} contours lies on a slice of the image.`, {
      contours: all,
    });
  }
  const left = [
    ...(beside > 0 ? [`${beside} of ${all} contours lie on no slice of the image`] : []),
    ...(beyond > 0 ? [`${beyond} of ${all} contours reach beyond the image`] : []),
  ];
  if (left.length > 0 && !resample) {
    throw new AppError('import-grid-differs', `The RTSTRUCT is not on the grid of the image: ${left.join('; ')}.`);
  }
  return {
    labels,
    shown,
    resampled: false,
    notes: [
      ...left.map((what) => `Left out: ${what}.`),
      ...(empty > 0 ? [`${empty} of ${all} contours enclose no pixel centre.`] : []),
    ],
  };
}

function refuseOpen({ number, contours }: Region): void {
  const open = contours.find(({ type }) => !closed.has(type));
  if (!open) return;
  throw unsupported(`Region ${number} has a contour of type ${open.type.slice(0, 16)}, which encloses nothing`, number);
}

/** The contour in pixels of the slice that it lies on; undefined when it lies on none. */
function layContour({ type, points }: Contour, image: Geometry): Drawing | undefined {
  const count = points.length / 3;
  const columns = new Float64Array(count);
  const rows = new Float64Array(count);
  let slice: number | undefined;
  for (let n = 0; n < count; n++) {
    const at = (axis: 0 | 1 | 2) => points[3 * n + axis] ?? Number.NaN;
    const [i, j, k] = patientToIndex(image, [at(0), at(1), at(2)]);
    slice ??= Math.round(k);
    if (!(Math.abs(k - slice) <= besideSlices)) return undefined;
    columns[n] = Math.round(i / cornerStep) * cornerStep;
    rows[n] = Math.round(j / cornerStep) * cornerStep;
  }
  if (slice === undefined || slice < 0 || slice >= image.size[2]) return undefined;
  return { slice, polygon: { columns, rows }, type };
}

/** What the contours of one region on one slice are put together on. */
interface Sheet {
  readonly columns: number;
  readonly rows: number;
  /** Of each pixel the smallest contour around it, from 1; 0: none. */
  readonly around: Int32Array;
  /** Whether an odd number of contours is around it. */
  readonly odd: Uint8Array;
}

function createSheet({ size: [columns, rows] }: Geometry): Sheet {
  const pixels = columns * rows;
  return { columns, rows, around: new Int32Array(pixels), odd: new Uint8Array(pixels) };
}

/** Whether pixel centres outside the image could be enclosed. */
function reachesBeyond({ columns, rows }: Polygon, { size }: Geometry): boolean {
  const isOutside = (index: number, axis: 0 | 1) => index <= -1 || index > size[axis];
  return columns.some((i) => isOutside(i, 0)) || rows.some((j) => isOutside(j, 1));
}

/**
 * Pixels in an odd number of contours. Contours that cross have no agreed meaning unless their type says XOR, so the
 * larger ones come first, and each must lie within one part of what is there.
 */
function combine(
  drawings: readonly Drawing[],
  { columns, rows, around, odd }: Sheet,
  region: number,
): { readonly inside: readonly number[]; readonly emptyContours: number } {
  refuseCopies(drawings, region);
  const isXor = drawings.some(({ type }) => type === 'CLOSEDPLANAR_XOR');
  const filled = drawings
    .map(({ polygon }) => fillPolygon(polygon, [columns, rows]))
    .sort((a, b) => b.length - a.length);
  around.fill(0);
  odd.fill(0);
  for (const [n, pixels] of filled.entries()) {
    const outer = around[pixels[0] ?? 0];
    for (const pixel of pixels) {
      if (!isXor && around[pixel] !== outer) {
        throw unsupported(`Region ${region} has contours on one slice that cross each other`, region);
      }
      around[pixel] = n + 1;
      odd[pixel] = 1 - (odd[pixel] ?? 0);
    }
  }
  return {
    inside: Array.from(odd.keys()).filter((pixel) => odd[pixel] === 1),
    emptyContours: filled.filter((pixels) => pixels.length === 0).length,
  };
}

/** A contour that is there twice would be a hole in itself. */
function refuseCopies(drawings: readonly Drawing[], region: number): void {
  const seen = new Set(drawings.map(({ polygon }) => `${polygon.columns.join(' ')} / ${polygon.rows.join(' ')}`));
  if (seen.size < drawings.length) throw unsupported(`Region ${region} has the same contour twice on a slice`, region);
}

function paint(
  labels: Uint8Array,
  pixels: readonly number[],
  start: number,
  { region, label }: { readonly region: number; readonly label: number },
): void {
  for (const pixel of pixels) {
    const before = labels[start + pixel] ?? 0;
    if (before !== 0 && before !== label) {
      throw unsupported(`Region ${region} overlaps a region of another segment`, region);
    }
    labels[start + pixel] = label;
  }
}

function unsupported(what: string, region: number): AppError {
  return new AppError('rtstruct-unsupported', `${what}.`, { region });
}
