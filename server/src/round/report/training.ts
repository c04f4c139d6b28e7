import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Card } from '../../registry/card.ts';
import { networkDataFormat } from '../../registry/data-format.ts';
import type { Curve, LossPoint } from '../curve.ts';
import type { Failure } from '../failures.ts';
import { meanOf } from '../statistics.ts';
import type { SegmentSpread } from '../test-subjects.ts';
import { facts, type Html, html, list, page, raw, table } from './html.ts';
import { failurePicture } from './pictures.ts';
import { dotChart, lineChart, type Mark, type Series } from './plots.ts';

/** Dice of one subject under the weights that serve. */
export interface SubjectDice {
  readonly split: 'labelled' | 'validation' | 'test';
  /** Without PHI. */
  readonly subject: string;
  readonly dice: number;
}

/** What a report needs of a card, whether its network sees slices (`plane`, `sizePx`) or windows (`windowVoxels`). */
export interface ReportedCard extends Omit<Card, 'input' | 'architecture'> {
  readonly input: {
    /** [column, row, slice] mm. */
    readonly spacingMm: readonly number[];
    readonly plane?: string;
    readonly sizePx?: readonly number[];
    readonly windowVoxels?: readonly number[];
  };
  readonly architecture: Pick<Card['architecture'], 'inferenceParameters'> & {
    readonly network: string;
    readonly variant: string;
  };
}

/** All that a report of a training tells. */
export interface Training {
  readonly card: ReportedCard;
  readonly curve: Curve;
  readonly subjects: readonly SubjectDice[];
  /** Of each segment over the test subjects. */
  readonly spread: readonly SegmentSpread[];
  /** The worst test subjects of each segment; none of a site. */
  readonly failures: readonly Failure[];
  /** Labelled subjects in all, of which some are among `subjects`. */
  readonly labelled: number;
  /** Where phases begin, other than the first. */
  readonly phases: readonly Mark[];
}

/** Writes `report.html` into the folder of a version: one file, readable without scripts or network. */
export async function writeTrainingReport(folder: string, training: Training): Promise<void> {
  await writeFile(join(folder, 'report.html'), await trainingReport(training), { flush: true });
}

/** The report of a training as one HTML page. */
export async function trainingReport(training: Training): Promise<string> {
  const { card, curve } = training;
  const trust = termSeries(curve.losses, isTrust);
  return page(`${card.name}@${card.version}: how it was trained`, [
    ['What it is', summary(training)],
    ['Dice of each subject', await subjectSection(training)],
    ['Dice of each segment', segmentSection(training)],
    ...(training.failures.length > 0 ? [['Where it fails', failureSection(training)] as const] : []),
    ['Validation', await validationSection(training)],
    ['Loss', await lossSection(training)],
    ...(trust.length > 0 ? [['Trust', await trustSection(trust, training.phases)] as const] : []),
    ['Card', cardTable(card)],
  ]);
}

function summary({ card, curve }: Training): Html {
  const { bestScore, bestSource, bestStep } = curve;
  return html`<p>${card.trainedFor}</p>
<p>${card.intendedUse}</p>
<p>Chosen on the validation split: weights of the ${bestSource} after step ${bestStep}, Dice ${bestScore.toFixed(3)}.</p>`;
}

const splits = ['test', 'validation', 'labelled'] as const;

async function subjectSection({ subjects, labelled }: Training): Promise<Html> {
  const groups = splits.map((split) => {
    const values = subjects.filter((row) => row.split === split).map(({ dice }) => dice);
    return { name: `${split} (${values.length})`, values };
  });
  const title = 'Dice of each subject, by split';
  const told = subjects.filter(({ split }) => split === 'labelled').length;
  const rows = splits.flatMap((split) => subjects.filter((row) => row.split === split));
  return html`<p class="note">Dice overlap with the truth, 1 is perfect; the bar is the mean of a split. Test subjects were
never seen before and are measured whole, as they would be served. Validation subjects chose the weights; of the ${labelled}
labelled ones, which were learnt from, ${told} are shown.</p>
${raw(await dotChart({ title, x: 'Dice', groups }))}
${table(
  ['Split', 'Subjects', 'Mean', 'Lowest'],
  groups.flatMap(({ values }, n) =>
    values.length > 0 ? [[splits[n] ?? '', values.length, fixed(meanOf(values)), fixed(Math.min(...values))]] : [],
  ),
)}
<details><summary>Every subject</summary>
${table(
  ['Split', 'Subject', 'Dice'],
  rows.map(({ split, subject, dice }) => [split, subject, fixed(dice)]),
)}
</details>`;
}

function segmentSection({ spread }: Training): Html {
  const cell = (value: number | null) => (value === null ? '' : fixed(value));
  return html`<p class="note">Over the test subjects that have the segment in truth or mask.</p>
${table(
  ['Segment', 'Subjects', 'Mean', 'sd', 'Least', 'Most'],
  spread.map(({ label, subjects, mean, sd, least, most }) => [label, subjects, ...[mean, sd, least, most].map(cell)]),
)}`;
}

/** Pictures by segment, the worst subject first. */
function failureSection({ card, failures }: Training): Html {
  const groups = card.segments.map(({ number, label }) => {
    const pictures = failures.filter(({ segment }) => segment === number);
    return pictures.length === 0 ? html`` : html`<h3>${label}</h3>\n${pictures.map(failurePicture)}\n`;
  });
  return html`<p class="note">The test subjects with the lowest Dice of each segment, on the slice where truth (orange, solid)
and mask (blue, dashed) differ most, as the network sees it. Subjects are generated: nobody's images.</p>
${groups}`;
}

async function validationSection({ curve, phases }: Training): Promise<Html> {
  const line = (name: string, key: 'student' | 'ema'): Series => ({
    name,
    points: curve.validation.map((point) => ({ x: point.step, y: point[key] })),
  });
  const values = curve.validation.flatMap(({ student, ema }) => [student, ema]);
  // To the tenth below: late in a training all happens near 1.
  const lowest = Math.floor(10 * Math.min(...values)) / 10;
  const chart = lineChart({
    title: 'Dice of the validation split over training steps, student and EMA',
    x: 'training step',
    y: 'Dice, mean over subjects',
    series: [line('student', 'student'), line('EMA (specialized teacher)', 'ema')],
    marks: [...phases, ...(curve.bestStep > 0 ? [{ x: curve.bestStep, label: 'chosen' }] : [])],
    range: [Math.min(0.9, lowest), 1],
  });
  return raw(await chart);
}

async function lossSection({ curve, phases }: Training): Promise<Html> {
  const total: Series = { name: 'loss', points: curve.losses.map(({ step, loss }) => ({ x: step, y: loss })) };
  const terms = termSeries(curve.losses, (name) => !isTrust(name) && !isSpread(name));
  const chart = lineChart({
    title: 'Loss and its terms over training steps',
    x: 'training step',
    y: 'loss',
    series: [total, ...terms],
    marks: phases,
  });
  return html`<p class="note">Means over the steps between two points. Terms are shown without their weights.</p>
${raw(await chart)}`;
}

async function trustSection(series: readonly Series[], phases: readonly Mark[]): Promise<Html> {
  const title = 'Share of unlabelled pixels by the teacher that was trusted, over training steps';
  const chart = lineChart({ title, x: 'training step', y: 'share of pixels', series, marks: phases, range: [0, 1] });
  return html`<p class="note">Of the unlabelled pixels: whose pseudo-label was learnt from, and which had none.</p>
${raw(await chart)}`;
}

function cardTable(card: ReportedCard): Html {
  const { input, architecture, segments, filter, weights } = card;
  const { plane, sizePx = [], windowVoxels } = input;
  const seen = windowVoxels ? `${windowVoxels.join(' x ')} voxels` : `${plane}, ${sizePx.join(' x ')} pixels`;
  const parent = card.parent ? `version ${card.parent.version}` : 'none';
  return facts([
    ['Title', card.title],
    ['Intended use', card.intendedUse],
    ['Limitations', list(card.limitations)],
    ['Licence', card.licence],
    ['Training data', list(card.trainingData.map(({ source, licence, use }) => `${source} (${licence}): ${use}`))],
    ['Segments', list(segments.map(({ number, label, type }) => `${number} ${label} (${type.scheme} ${type.value})`))],
    ['Series', `${filter.modality.join(', ')}${filter.bodyPart.length > 0 ? `; ${filter.bodyPart.join(', ')}` : ''}`],
    ['Input', `${seen}, ${input.spacingMm.join(' x ')} mm`],
    ['Network', `${architecture.network}, ${architecture.variant}, ${architecture.inferenceParameters} parameters`],
    ['Network data format', html`<pre>${JSON.stringify(networkDataFormat(card), null, 1)}</pre>`],
    ['Gate', `a candidate may lose ${card.gate.epsilon} Dice on ${card.baseSet.seeds.length} base subjects`],
    ['Weights', `sha256 ${weights.sha256}`],
    ['Parent', parent],
    ['Engine', card.engine],
    ['Notes', list(card.notes)],
  ]);
}

function termSeries(losses: readonly LossPoint[], isWanted: (name: string) => boolean): readonly Series[] {
  const names = new Set(losses.flatMap(({ terms }) => Object.keys(terms ?? {})));
  return [...names].filter(isWanted).map((name) => ({
    name: words(name),
    points: losses.flatMap(({ step, terms }) => (terms?.[name] === undefined ? [] : [{ x: step, y: terms[name] }])),
  }));
}

function isTrust(name: string): boolean {
  return /Trust$/.test(name) || name === 'ignored';
}

/** How far features spread: a figure of the distillation, not a loss. */
function isSpread(name: string): boolean {
  return /Spread$/.test(name);
}

/** `softIou` as `soft iou`. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function fixed(value: number): string {
  return value.toFixed(3);
}
