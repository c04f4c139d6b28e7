import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { decode } from 'fast-png';
import type { Card } from '../../../../server/src/registry/card.ts';
import { startCurve } from '../../../../server/src/round/curve.ts';
import type { Failure } from '../../../../server/src/round/failures.ts';
import { barChart, dotChart, lineChart } from '../../../../server/src/round/report/plots.ts';
import { type Training, trainingReport } from '../../../../server/src/round/report/training.ts';

const card = JSON.parse(
  await readFile(new URL('../../../../models/lesion-mr/1/card.json', import.meta.url), 'utf8'),
) as Card;
const hostile = '<script>alert(1)</script>"\'&<img src=x onerror=alert(2)>';

function training(changes: Partial<Training> = {}): Training {
  return {
    card,
    curve: {
      ...startCurve(),
      bestScore: 0.8,
      bestStep: 20,
      bestSource: 'student',
      validation: [
        { step: 10, student: 0.4, ema: 0.3 },
        { step: 20, student: 0.8, ema: 0.6 },
      ],
      losses: [
        { step: 10, loss: 1.5, terms: { crossEntropy: 0.5, softIou: 0.9 } },
        { step: 20, loss: 0.5, terms: { crossEntropy: 0.2, softIou: 0.4 } },
      ],
    },
    subjects: [
      { split: 'test', subject: 'test 1', dice: 0.75 },
      { split: 'validation', subject: 'validation 1', dice: 0.8125 },
      { split: 'labelled', subject: 'labelled 1', dice: 0.9 },
    ],
    spread: [{ number: 1, label: 'lesion', subjects: 2, mean: 0.75, sd: 0.0625, least: 0.6875, most: 0.8125 }],
    failures: [],
    labelled: 40,
    phases: [],
    ...changes,
  };
}

/** 4 x 3 pixels: the truth is the two on the left of the middle row, the mask the first of them. */
const failure: Failure = {
  ...{ subject: hostile, segment: 1, dice: 2 / 3, slice: 7, columns: 4 },
  image: Float32Array.of(0, 0.5, 1, 2, -1, 0.25, 0, 0, 0, 0, 0, 0),
  truth: Uint8Array.of(0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0),
  mask: Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0),
};

const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;

test('the report is one page without scripts and without anything to load', async () => {
  const failures = [{ ...failure, subject: 'wide-20001' }];
  const report = await trainingReport(training({ failures }));
  assert.doesNotMatch(report, /<script|<link|<img|<iframe|\bsrc=|href="(?!#|data:)|url\(|@import|\bon\w+="/i);
  const addresses = [...report.matchAll(/https?:\/\/[^\s"'<]+/g)].map(([address]) => address);
  assert.deepEqual([...new Set(addresses)].sort(), ['http://www.w3.org/1999/xlink', 'http://www.w3.org/2000/svg']);
  assert.match(
    report,
    /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"/,
  );
});

test('it shows loss terms, the validation curves with the chosen step, a dot for each subject and the card', async () => {
  const report = await trainingReport(training());
  for (const text of ['cross entropy', 'soft iou', 'EMA (specialized teacher)', 'chosen', 'test (1)', 'labelled (1)']) {
    assert.ok(report.includes(`>${text}<`), text);
  }
  assert.ok(report.includes('of the 40'));
  assert.ok(report.includes(card.weights.sha256) && report.includes(card.licence));
  assert.ok(report.includes('validation 1</td><td>0.813'));
  assert.equal(count(report, /<h2>/g), 6);
  assert.match(report, /<td>lesion<\/td>.*>2<.*0\.750.*0\.063.*0\.688.*0\.813/);
  assert.ok(report.includes('&quot;spatial_shape&quot;'), 'the format of the data');
  assert.ok(!report.includes('<h2>Trust</h2>'), 'stage 1 trusts nobody');
});

test('a failure is a picture of its slice, with the outlines of truth and mask along the pixels', async () => {
  const report = await trainingReport(training({ failures: [failure] }));
  const [, figure = ''] = report.split('<h2>Where it fails</h2>');
  assert.ok(figure.includes('<h3>lesion</h3>') && figure.includes('slice 7: Dice 0.667'));
  assert.ok(figure.includes('d="M0 1H2M0 2H2M0 1V2M2 1V2"'), 'truth');
  assert.ok(figure.includes('d="M0 1H1M0 2H1M0 1V2M1 1V2"'), 'mask');
  assert.doesNotMatch(figure, /<script|<img/);
  const png = Buffer.from(/base64,([^"]+)"/.exec(figure)?.[1] ?? '', 'base64');
  const { width, height, data } = decode(png);
  assert.deepEqual([width, height, [...data]], [4, 3, [0, 128, 255, 255, 0, 64, 0, 0, 0, 0, 0, 0]]);
});

test('without failures there is no section for them', async () => {
  assert.ok(!(await trainingReport(training())).includes('Where it fails'));
});

test('what a network sees is told for slices and for windows', async () => {
  const { spacingMm, intensity } = card.input;
  assert.match(await trainingReport(training()), /axial, \d+ x \d+ pixels, /);
  const windows = { ...card, input: { spacingMm, intensity, windowVoxels: [32, 48, 64] } };
  assert.match(await trainingReport(training({ card: windows })), /<td>32 x 48 x 64 voxels, /);
});

test('trust rates have a chart of their own as soon as a step tells them', async () => {
  const { curve } = training();
  const losses = curve.losses.map((point) => ({
    ...point,
    terms: { ...point.terms, generalizedTrust: 0.2, specializedTrust: 0.5, ignored: 0.3 },
  }));
  const report = await trainingReport(training({ curve: { ...curve, losses } }));
  const [, trust = ''] = report.split('<h2>Trust</h2>');
  const [before = ''] = report.split('<h2>Trust</h2>');
  for (const name of ['generalized trust', 'specialized trust', 'ignored']) {
    assert.ok(trust.includes(`>${name}<`), name);
    assert.ok(!before.includes(`>${name}<`), `${name} is no loss`);
  }
});

test('every text is escaped, in the page and in the charts', async () => {
  const { curve } = training();
  const losses = curve.losses.map((point) => ({ ...point, terms: { [hostile]: 1 } }));
  const report = await trainingReport(
    training({
      card: { ...card, title: hostile, trainedFor: hostile, notes: [hostile], limitations: [hostile], engine: hostile },
      curve: { ...curve, losses },
      subjects: [{ split: 'test', subject: hostile, dice: 0.5 }],
      phases: [{ x: 5, label: hostile }],
    }),
  );
  assert.doesNotMatch(report, /<script|<img/);
  assert.ok(report.includes('&lt;script&gt;'));
  for (const chart of [
    await lineChart({ title: hostile, x: hostile, y: hostile, series: [{ name: hostile, points: [{ x: 1, y: 1 }] }] }),
    await dotChart({ title: hostile, x: hostile, groups: [{ name: hostile, values: [1] }] }),
    await barChart({ title: hostile, x: hostile, bars: [{ name: hostile, value: 1 }] }),
  ]) {
    assert.doesNotMatch(chart, /<script|<img/);
    assert.doesNotMatch(chart, /aria-label="[^"]*<|="[^"]*"alert/);
  }
});

test('a chart draws what it is given where it belongs: lines, dots, bars', async () => {
  const series = ['one', 'two'].map((name, n) => ({ name, points: [0, 1, 2].map((x) => ({ x, y: n + 4 * x })) }));
  const marks = [{ x: 1, label: 'here' }];
  const lines = await lineChart({ title: 't', x: 'x', y: 'y', series, marks, range: [0, 10] });
  // 720 x 280 pixels, 0 below.
  assert.ok(lines.includes('d="M0,280L360,168L720,56" stroke="#0072b2"'), 'the first line');
  assert.ok(lines.includes('d="M0,252L360,140L720,28" stroke="#d55e00"'), 'the second line');
  assert.ok(lines.includes('>here<'));
  assert.match(lines, /^<svg role="img" aria-label="t" /);
  const groups = [
    { name: 'a', values: [0.1, 0.2, 0.3] },
    { name: 'b', values: [] },
  ];
  const dots = await dotChart({ title: 't', x: 'x', groups, range: [0, 0.3] });
  const places = [...dots.matchAll(/transform="translate\(([\d.]+),[\d.]+\)" d="[^"]*" fill="#0072b2"/g)];
  assert.deepEqual(
    places.map(([, x]) => Math.round(Number(x))),
    [240, 480, 720],
  );
  assert.ok(!dots.includes('>b<'), 'a group without values has no row');
  const bars = await barChart({
    title: 't',
    x: 'x',
    bars: [
      { name: 'a', value: 2, interval: [1, 3] },
      { name: 'b', value: 1 },
    ],
  });
  const lengths = [...bars.matchAll(/d="M0,[\d.]+h([\d.]+)v26h-[\d.]+Z" fill="#0072b2"/g)].map(([, length]) =>
    Number(length),
  );
  assert.deepEqual(lengths, [480, 240]);
  assert.match(bars, /<line[^>]*x2="480"|<line[^>]*x2="-480"/, 'the interval from 1 to 3');
});

test('more lines than colours are still told apart', async () => {
  const series = Array.from({ length: 11 }, (_, n) => ({
    name: `term ${n}`,
    points: [
      { x: 0, y: n },
      { x: 1, y: n },
    ],
  }));
  const lines = await lineChart({ title: 't', x: 'x', y: 'y', series });
  const looks = [
    ...lines.matchAll(/<path d="M0,[^"]*" stroke="(#\w+)"( stroke-width="1.8"| stroke-dasharray="[^"]*"){1,2}/g),
  ].map(([path]) => path.replace(/d="[^"]*"/, ''));
  assert.equal(looks.length, 11);
  assert.equal(new Set(looks).size, 11);
});

test('no values and values that are no numbers still give a chart', async () => {
  const broken = [{ name: 'a', points: [{ x: 1, y: Number.NaN }] }];
  for (const chart of [
    await lineChart({ title: 't', x: 'x', y: 'y', series: [] }),
    await lineChart({ title: 't', x: 'x', y: 'y', series: broken }),
    await dotChart({ title: 't', x: 'x', groups: [] }),
    await barChart({ title: 't', x: 'x', bars: [] }),
  ]) {
    assert.match(chart, /^<svg .*<\/svg>$/s);
    assert.doesNotMatch(chart, /NaN/);
  }
});
