import type { Code } from '../labelmap/labelmap.ts';

/** A coded concept without its words, which writers choose freely. */
export type Term = Pick<Code, 'value' | 'scheme'>;

/** A code as an item of a code sequence (PS3.3 8.8). */
export interface CodeItem {
  readonly CodeValue: string;
  readonly CodingSchemeDesignator: string;
  readonly CodeMeaning: string;
}

export const codes = {
  segmentation: { value: '113076', scheme: 'DCM', meaning: 'Segmentation' },
  sourceImage: { value: '121322', scheme: 'DCM', meaning: 'Source image for image processing operation' },
  artificialIntelligence: { value: '123110', scheme: 'DCM', meaning: 'Artificial Intelligence' },
  background: { value: '125040', scheme: 'DCM', meaning: 'Background' },
} as const satisfies Record<string, Code>;

/** Modifiers of a property type (PS3.16 CID 244). */
export const lateralities = {
  left: { value: '7771000', scheme: 'SCT', meaning: 'Left' },
  right: { value: '24028007', scheme: 'SCT', meaning: 'Right' },
  both: { value: '51440002', scheme: 'SCT', meaning: 'Bilateral' },
} as const satisfies Record<string, Code>;

export function codeItem(code: Code): CodeItem {
  return { CodeValue: code.value, CodingSchemeDesignator: code.scheme, CodeMeaning: code.meaning };
}

/** sRGB 0..255 as Recommended Display CIELab Value (PS3.3 C.10.7.1.1): three unsigned 16-bit numbers, D50. */
export function cieLab(colour: readonly [number, number, number]): readonly [number, number, number] {
  const linear = colour.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const [r = 0, g = 0, b = 0] = linear;
  // sRGB to XYZ adapted to D50 (Bradford), divided by the D50 white point.
  const x = (0.4360747 * r + 0.3850649 * g + 0.1430804 * b) / 0.96422;
  const y = 0.2225045 * r + 0.7168786 * g + 0.0606169 * b;
  const z = (0.0139322 * r + 0.0971045 * g + 0.7141733 * b) / 0.82521;
  const f = (t: number) => (t > (6 / 29) ** 3 ? Math.cbrt(t) : t / (3 * (6 / 29) ** 2) + 4 / 29);
  const lightness = 116 * f(y) - 16;
  const a = 500 * (f(x) - f(y));
  const bStar = 200 * (f(y) - f(z));
  const clip = (value: number) => Math.min(65535, Math.max(0, Math.round(value)));
  return [clip((lightness / 100) * 65535), clip(((a + 128) / 255) * 65535), clip(((bStar + 128) / 255) * 65535)];
}
