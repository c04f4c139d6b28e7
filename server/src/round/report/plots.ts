import type { Spec } from 'vega';
import { base, blue, colours, dashes, dot, draw, ink, rangeOf, spanOf } from './draw.ts';

/** A named line. */
export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A place on the horizontal axis that is pointed out. */
export interface Mark {
  readonly x: number;
  readonly label: string;
}

/** Lines over a common axis; which line is which stands above them. */
export interface LineChart {
  /** For who cannot see it, and for the file it may be saved to. */
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
  readonly marks?: readonly Mark[];
  /** Ends of the vertical axis; by default from 0 (or the lowest value, if that is lower) to the highest value. */
  readonly range?: readonly [number, number];
}

/** Values of one kind. */
export interface Group {
  readonly name: string;
  readonly values: readonly number[];
  /** Of their mean. */
  readonly interval?: readonly [low: number, high: number];
}

/** Its axis spans the values: dots, unlike bars, need no 0. */
export interface DotChart {
  readonly title: string;
  /** What the values are. */
  readonly x: string;
  readonly groups: readonly Group[];
  readonly range?: readonly [number, number];
}

/** A bar from 0, with the ends of an interval where there is one. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly interval?: readonly [low: number, high: number];
}

/** Horizontal bars from 0. */
export interface BarChart {
  readonly title: string;
  readonly x: string;
  readonly bars: readonly Bar[];
  readonly range?: readonly [number, number];
}

/** Lines over a common axis, the first one in front. @returns an `<svg>` element, every text escaped. */
export function lineChart(chart: LineChart): Promise<string> {
  const { series, marks = [] } = chart;
  const names = series.map(({ name }) => name);
  // What is drawn last lies in front.
  const points = [...series].reverse().flatMap(({ name, points: of }) => of.map(({ x, y }) => ({ name, x, y })));
  const [low, high] = chart.range ?? rangeOf(points.map(({ y }) => y));
  return draw(chart.title, {
    ...base,
    height: 280,
    data: [
      { name: 'points', values: points.filter(({ y }) => Number.isFinite(y)) },
      // Each label has a row of its own: marks may lie close together.
      { name: 'marks', values: marks.map((mark, row) => ({ ...mark, row })) },
    ],
    scales: [
      {
        name: 'x',
        type: 'linear',
        range: 'width',
        nice: true,
        domain: {
          fields: [
            { data: 'points', field: 'x' },
            { data: 'marks', field: 'x' },
          ],
        },
      },
      { name: 'y', type: 'linear', range: 'height', domain: [low, high], nice: !chart.range, zero: false },
      colours(names),
      dashes(names),
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: chart.x, tickCount: 8 },
      { orient: 'left', scale: 'y', title: chart.y, grid: true, tickCount: 6 },
    ],
    legends:
      series.length > 1
        ? [{ stroke: 'colour', strokeDash: 'dash', symbolType: 'stroke', orient: 'top', columns: 4, labelLimit: 400 }]
        : [],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'line', data: 'points', groupby: 'name' } },
        marks: [
          {
            type: 'line',
            from: { data: 'line' },
            encode: {
              enter: {
                x: { scale: 'x', field: 'x' },
                y: { scale: 'y', field: 'y' },
                stroke: { scale: 'colour', field: 'name' },
                strokeDash: { scale: 'dash', field: 'name' },
                strokeWidth: { value: 1.8 },
              },
            },
          },
          // A line of one point would not be seen.
          ...(points.length <= 60 * series.length
            ? [dot({ x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' } }, 'line', 20)]
            : []),
        ],
      },
      {
        type: 'rule',
        from: { data: 'marks' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'x' },
            y: { value: 0 },
            y2: { field: { group: 'height' } },
            stroke: { value: ink },
            strokeDash: { value: [4, 3] },
          },
        },
      },
      {
        type: 'text',
        from: { data: 'marks' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'x', offset: 4 },
            y: { field: 'row', mult: 16, offset: 10 },
            text: { field: 'label' },
          },
        },
      },
    ],
  });
}

/** A row of dots for each group, with a bar at their mean and a line along its interval. @returns an `<svg>` element, every text escaped. */
export function dotChart(chart: DotChart): Promise<string> {
  const groups = chart.groups.filter(({ values }) => values.length > 0);
  const dots = groups.flatMap(({ name, values }) =>
    // Spread over the row in the order given, so that equal values stay apart.
    values.map((value, n) => ({ name, value, shift: ((n * 0.618) % 1) - 0.5 })),
  );
  const means = groups.map(({ name, values }) => ({
    name,
    value: values.reduce((sum, v) => sum + v, 0) / values.length,
  }));
  const intervals = groups.flatMap(({ name, interval }) =>
    interval ? [{ name, low: interval[0], high: interval[1] }] : [],
  );
  const row = { scale: 'row', field: 'name', band: 0.5 };
  return draw(chart.title, {
    ...rows(
      groups.map(({ name }) => name),
      chart.x,
      chart.range ?? spanOf([...dots.map(({ value }) => value), ...intervals.flatMap(({ low, high }) => [low, high])]),
    ),
    data: [
      { name: 'dots', values: dots },
      { name: 'means', values: means },
      { name: 'intervals', values: intervals },
    ],
    marks: [
      dot({ x: { scale: 'x', field: 'value' }, y: { ...row, offset: { field: 'shift', mult: 26 } } }, 'dots', 40),
      {
        type: 'rule',
        from: { data: 'means' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'value' },
            y: { ...row, offset: -18 },
            y2: { ...row, offset: 18 },
            stroke: { value: ink },
            strokeWidth: { value: 2 },
          },
        },
      },
      spanRule('intervals'),
    ],
  });
}

/** Horizontal bars in the order given, with their intervals. @returns an `<svg>` element, every text escaped. */
export function barChart(chart: BarChart): Promise<string> {
  const bars = chart.bars.map(({ name, value, interval = [value, value] }) => ({
    name,
    value,
    low: interval[0],
    high: interval[1],
  }));
  const names = bars.map(({ name }) => name);
  const row = { scale: 'row', field: 'name', band: 0.5 };
  return draw(chart.title, {
    ...rows(names, chart.x, chart.range ?? rangeOf(bars.flatMap(({ low, value, high }) => [low, value, high]))),
    data: [{ name: 'bars', values: bars }],
    marks: [
      {
        type: 'rect',
        from: { data: 'bars' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'value' },
            x2: { scale: 'x', value: 0 },
            y: { ...row, offset: -13 },
            height: { value: 26 },
            fill: { value: blue },
          },
        },
      },
      spanRule('bars'),
    ],
  });
}

/** A line from `low` to `high` in the row of each of `data`. */
function spanRule(data: string): NonNullable<Spec['marks']>[number] {
  return {
    type: 'rule',
    from: { data },
    encode: {
      enter: {
        x: { scale: 'x', field: 'low' },
        x2: { scale: 'x', field: 'high' },
        y: { scale: 'row', field: 'name', band: 0.5 },
        stroke: { value: ink },
        strokeWidth: { value: 2 },
      },
    },
  };
}

/** What charts with a row for each name share. */
function rows(names: readonly string[], title: string, domain: readonly [number, number]): Spec {
  return {
    ...base,
    height: 48 * Math.max(1, names.length),
    scales: [
      { name: 'x', type: 'linear', range: 'width', domain: [...domain], nice: true, zero: false },
      { name: 'row', type: 'band', range: 'height', domain: [...names], padding: 0.1 },
      colours(names),
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title, grid: true, tickCount: 8 },
      { orient: 'left', scale: 'row', ticks: false, domain: false, labelLimit: 480, labelPadding: 8 },
    ],
  };
}
