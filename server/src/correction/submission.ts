import { AppError } from '../errors/app-error.ts';
import { diceOf } from '../labelmap/metrics.ts';
import { RunReader } from '../labelmap/runs.ts';

/** Labels keyed by the source instance of each slice, `rows * columns` bytes a slice in the order of `slices`. */
export interface KeyedLabels {
  readonly columns: number;
  readonly rows: number;
  /** Id of each slice. */
  readonly slices: readonly string[];
  /** Segment numbers, 0 = background. */
  readonly labels: Uint8Array;
}

/** What a reader hands in for one prediction. */
export interface Submission extends KeyedLabels {
  readonly kind: 'edited' | 'accepted';
  readonly approvedSlices: readonly string[];
}

/** What a submission that fits its prediction says. */
export interface CheckedSubmission {
  readonly approvedSlices: readonly string[];
  readonly changedVoxels: number;
  /** Dice between the model's own mask and the reader's, all segments as one; 1 when both are empty. */
  readonly dice: number;
  /** The same segment by segment on the slices vouched for, segment 1 first; null where neither mask shows it there. */
  readonly diceBySegment: readonly (number | null)[];
}

/**
 * Holds a submission against the prediction it corrects.
 *
 * @throws AppError `correction-geometry-mismatch`: other rows, columns or slices; `correction-segment-unknown`: a label
 *   above `segmentCount`; `correction-empty-approval`: no or a foreign slice vouched for; `request-invalid`: called
 *   accepted though something changed, or a slice is missing.
 */
export function checkSubmission(
  submission: Submission,
  prediction: KeyedLabels,
  segmentCount: number,
): CheckedSubmission {
  const labels = inOrderOf(submission, prediction);
  const approved = [...new Set(submission.approvedSlices)];
  const vouched = new Set(approved);
  const isVouched = prediction.slices.map((slice) => vouched.has(slice));
  const tallies = compareMasks(prediction, labels, (slice) => isVouched[slice]!);
  const highest = tallies.all.reader.findLastIndex((voxels) => voxels > 0);
  if (highest > segmentCount) {
    throw new AppError('correction-segment-unknown', `Segment ${highest} is not one of the model's ${segmentCount}.`, {
      segment: highest,
      segments: segmentCount,
    });
  }
  const known = new Set(prediction.slices);
  const foreign = approved.filter((uid) => !known.has(uid)).length;
  if (approved.length === 0 || foreign > 0) {
    throw new AppError(
      'correction-empty-approval',
      `${approved.length} slices vouched for, ${foreign} of them foreign.`,
      {
        approved: approved.length,
        foreign,
      },
    );
  }
  const [model, reader, both] = [sum(tallies.all.model), sum(tallies.all.reader), sum(tallies.all.both)];
  const changedVoxels = model + reader - 2 * both - tallies.swapped;
  if (submission.kind === 'accepted' && changedVoxels > 0) {
    throw new AppError('request-invalid', `Accepted means unchanged; ${changedVoxels} voxels differ.`, {
      changedVoxels,
    });
  }
  return {
    approvedSlices: approved,
    changedVoxels,
    dice: diceOf({ a: model, b: reader, both }),
    diceBySegment: diceBySegment(tallies.vouched, segmentCount),
  };
}

/**
 * The submission's labels in the prediction's slice order; every slice exactly once.
 *
 * @throws AppError `correction-geometry-mismatch`
 */
export function inOrderOf(submission: KeyedLabels, prediction: KeyedLabels): Uint8Array {
  const { rows, columns, slices } = prediction;
  const pixels = rows * columns;
  const seen = {
    rows: submission.rows,
    columns: submission.columns,
    slices: submission.slices.length,
    bytes: submission.labels.length,
  };
  const mismatch = (what: string) =>
    new AppError(
      'correction-geometry-mismatch',
      `The correction ${what}; the series has ${slices.length} slices of ${rows} x ${columns}.`,
      seen,
    );
  if (submission.rows !== rows || submission.columns !== columns) {
    throw mismatch(`is ${submission.rows} x ${submission.columns}`);
  }
  if (submission.slices.length !== slices.length) throw mismatch(`has ${submission.slices.length} slices`);
  if (submission.labels.length !== pixels * slices.length)
    throw mismatch(`has ${submission.labels.length} bytes of labels`);
  if (submission.slices.every((uid, k) => uid === slices[k])) return submission.labels;
  const position = new Map(submission.slices.map((uid, k) => [uid, k]));
  const ordered = new Uint8Array(submission.labels.length);
  for (const [k, uid] of slices.entries()) {
    const from = position.get(uid);
    if (from === undefined) throw mismatch('lacks a slice of it');
    ordered.set(submission.labels.subarray(from * pixels, (from + 1) * pixels), k * pixels);
  }
  return ordered;
}

/** Of each label, how many voxels show it in the model's mask, in the reader's and in both. */
interface Tally {
  readonly model: Float64Array;
  readonly reader: Float64Array;
  readonly both: Float64Array;
}

function startTally(): Tally {
  const [model, reader, both] = [0, 1, 2].map(() => new Float64Array(256));
  return { model, reader, both } as Tally;
}

/** @param isVouched of each slice. */
function compareMasks(
  { rows, columns, slices, labels: ofModel }: KeyedLabels,
  ofReader: Uint8Array,
  isVouched: (slice: number) => boolean,
) {
  const pixels = rows * columns;
  const [all, vouched] = [startTally(), startTally()];
  /** Voxels of two segments, one in each mask. */
  let swapped = 0;
  for (let slice = 0; slice < slices.length; slice++) {
    const [from, to] = [slice * pixels, (slice + 1) * pixels];
    const [model, reader] = [ofModel.subarray(from, to), ofReader.subarray(from, to)];
    const own = startTally();
    for (const runs = new RunReader(model, columns); runs.next(); ) own.model[runs.label]! += runs.end - runs.start;
    // Most slices are as the model left them.
    if (Buffer.compare(model, reader) === 0) {
      own.reader.set(own.model);
      own.both.set(own.model);
    } else swapped += compareSlices(model, reader, own);
    for (const tally of isVouched(slice) ? [all, vouched] : [all]) addTo(tally, own);
  }
  return { all, vouched, swapped };
}

/** @returns voxels of two segments, one in each mask. */
function compareSlices(model: Uint8Array, reader: Uint8Array, tally: Tally): number {
  let swapped = 0;
  for (let n = 0; n < reader.length; n++) {
    const label = reader[n]!;
    if (label === 0) continue;
    tally.reader[label]!++;
    if (model[n] === label) tally.both[label]!++;
    else if (model[n]! > 0) swapped++;
  }
  return swapped;
}

function addTo(total: Tally, { model, reader, both }: Tally): void {
  for (let label = 1; label < 256; label++) {
    total.model[label]! += model[label]!;
    total.reader[label]! += reader[label]!;
    total.both[label]! += both[label]!;
  }
}

function diceBySegment({ model, reader, both }: Tally, segmentCount: number): readonly (number | null)[] {
  return Array.from({ length: segmentCount }, (_, n) => {
    const [a, b] = [model[n + 1]!, reader[n + 1]!];
    return a + b === 0 ? null : diceOf({ a, b, both: both[n + 1]! });
  });
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
