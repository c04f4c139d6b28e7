import { parse, type Spec, View } from 'vega';

// Vega draws SVG without a browser, a DOM or a canvas; Observable Plot would need a DOM from another package.

/** Of single-colour marks. */
export const blue = '#0072b2';
/** Told apart by people with any colour vision (Okabe and Ito). */
const palette = [blue, '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#5c5c5c', '#000000'];
/** Of text and axes. */
export const ink = '#333333';
const faint = '#dddddd';
const width = 720;

/** Size, fonts and colours that all charts share. */
export const base: Spec = {
  $schema: 'https://vega.github.io/schema/vega/v6.json',
  width,
  padding: 8,
  autosize: { type: 'pad' },
  config: {
    axis: {
      labelColor: ink,
      titleColor: ink,
      gridColor: faint,
      domainColor: ink,
      tickColor: ink,
      labelFontSize: 12,
      titleFontSize: 13,
      titleFontWeight: 'normal',
      titlePadding: 8,
    },
    legend: { labelColor: ink, labelFontSize: 12, symbolSize: 160, symbolStrokeWidth: 3, columnPadding: 16 },
    text: { fill: ink, fontSize: 12 },
  },
};

/** A colour for each name, in the order given. */
export function colours(names: readonly string[]): NonNullable<Spec['scales']>[number] {
  return { name: 'colour', type: 'ordinal', domain: [...names], range: palette };
}

/** A dash for each name: solid, until the colours begin anew. */
export function dashes(names: readonly string[]): NonNullable<Spec['scales']>[number] {
  const range = names.map((_, n) => (n < palette.length ? [1, 0] : [5, 3]));
  return { name: 'dash', type: 'ordinal', domain: [...names], range };
}

/** Filled dots, one for each row of `data`. */
export function dot(place: object, data: string, size: number): NonNullable<Spec['marks']>[number] {
  return {
    type: 'symbol',
    from: { data },
    encode: {
      enter: {
        ...place,
        size: { value: size },
        fill: { scale: 'colour', field: 'name' },
        fillOpacity: { value: 0.75 },
      },
    },
  };
}

/** An axis that holds all finite values and 0. */
export function rangeOf(values: readonly number[]): readonly [number, number] {
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((least, value) => Math.min(least, value), 0);
  const high = finite.reduce((most, value) => Math.max(most, value), low);
  return high > low ? [low, high] : [low, low + 1];
}

/** An axis from the lowest finite value to the highest. */
export function spanOf(values: readonly number[]): readonly [number, number] {
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = finite.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  if (high > low) return [low, high];
  return finite.length > 0 ? [low - 0.5, high + 0.5] : [0, 1];
}

/** A chart as an `<svg>` element with a name for who cannot see it. */
export async function draw(title: string, spec: Spec): Promise<string> {
  const view = new View(parse({ ...spec, description: title }), { renderer: 'none' });
  try {
    const svg = await view.toSVG();
    // One name for the whole, instead of one for each axis and dot.
    const label = title.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
    return svg.replace('<svg ', `<svg role="img" aria-label="${label}" `);
  } finally {
    view.finalize();
  }
}
