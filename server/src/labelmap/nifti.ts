import { gzipSync } from 'node:zlib';
import { type Geometry, leanDegrees, type Vec3 } from '../volume/geometry.ts';
import { evenLabelmap } from './even-labelmap.ts';
import type { Labelmap } from './labelmap.ts';

const headerBytes = 348;
const dataOffset = 352;
const intentLabel = 1002;
const uint8 = 2;
const millimetres = 2;
const scannerCoordinates = 1;

/**
 * A labelmap as a compressed NIfTI-1 file of bytes: segment numbers on the grid of the source, made even if it is not. The place stands in the sform,
 * and for programs that want it in the qform as well, unless the grid leans, which no qform can say.
 */
export function writeNifti(labelmap: Labelmap): Uint8Array {
  const { data, geometry } = evenLabelmap(labelmap);
  const file = new Uint8Array(dataOffset + data.length);
  const view = new DataView(file.buffer);
  const text = (at: number, value: string) => file.set(new TextEncoder().encode(value), at);
  const { size, spacingMm } = geometry;
  view.setInt32(0, headerBytes, true);
  [3, ...size, 1, 1, 1, 1].forEach((value, n) => void view.setInt16(40 + 2 * n, value, true));
  view.setInt16(68, intentLabel, true);
  view.setInt16(70, uint8, true);
  view.setInt16(72, 8, true);
  view.setFloat32(108, dataOffset, true);
  view.setFloat32(112, 1, true);
  view.setUint8(123, millimetres);
  text(148, 'AI-generated, research use only, not for diagnosis');
  const affine = affineOf(geometry);
  const rotation = leanDegrees(geometry.direction) > 0 ? undefined : rotationOf(affine, spacingMm);
  const pixdim = [rotation?.handedness ?? 1, ...spacingMm, 0, 0, 0, 0];
  pixdim.forEach((value, n) => void view.setFloat32(76 + 4 * n, value, true));
  if (rotation) {
    view.setInt16(252, scannerCoordinates, true);
    const placed = [...rotation.quaternion, ...affine.map(([, , , offset]) => offset)];
    placed.forEach((value, n) => void view.setFloat32(256 + 4 * n, value, true));
  }
  view.setInt16(254, scannerCoordinates, true);
  affine.flat().forEach((value, n) => void view.setFloat32(280 + 4 * n, value, true));
  text(344, 'n+1');
  file.set(data, dataOffset);
  return gzipSync(file);
}

type Row = readonly [number, number, number, number];

/** Rows of the map from voxel indices to millimetres, in NIfTI's axes: to the right, to the front, up. */
function affineOf({ direction, spacingMm, origin }: Geometry): readonly [Row, Row, Row] {
  const row = (axis: 0 | 1 | 2): Row => {
    const sign = axis === 2 ? 1 : -1;
    const along = (index: 0 | 1 | 2) => sign * direction[index][axis] * spacingMm[index];
    return [along(0), along(1), along(2), sign * origin[axis]];
  };
  return [row(0), row(1), row(2)];
}

/** The rotation as NIfTI writes it: b, c, d of a unit quaternion with a >= 0, and whether k is turned around first. */
function rotationOf(affine: readonly [Row, Row, Row], spacingMm: Vec3) {
  const column = (index: 0 | 1 | 2): Vec3 => [
    affine[0][index] / spacingMm[index],
    affine[1][index] / spacingMm[index],
    affine[2][index] / spacingMm[index],
  ];
  const [u, v, third] = [column(0), column(1), column(2)];
  const across: Vec3 = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const handedness = across[0] * third[0] + across[1] * third[1] + across[2] * third[2] < 0 ? -1 : 1;
  const w: Vec3 = [handedness * third[0], handedness * third[1], handedness * third[2]];
  // The largest of the four is taken from the diagonal, the others by it: the small ones lose their digits.
  const [xx, yy, zz] = [u[0], v[1], w[2]];
  const squares = [1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz];
  const largest = squares.indexOf(Math.max(...squares));
  const twice = Math.sqrt(Math.max(0, squares[largest] ?? 0));
  const [vw, wu, uv] = [v[2] - w[1], w[0] - u[2], u[1] - v[0]];
  const [sx, sy, sz] = [v[2] + w[1], w[0] + u[2], u[1] + v[0]];
  const scaled = (
    [
      [twice * twice, vw, wu, uv],
      [vw, twice * twice, sz, sy],
      [wu, sz, twice * twice, sx],
      [uv, sy, sx, twice * twice],
    ] as const
  )[largest as 0 | 1 | 2 | 3].map((value) => value / (2 * twice));
  const [a = 1, ...rest] = scaled;
  return { handedness, quaternion: rest.map((value) => (a < 0 ? -value : value)) };
}
