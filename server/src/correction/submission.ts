import { AppError } from '../errors/app-error.ts';

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

/** A submission that fits its prediction, brought into the prediction's slice order. */
export interface CheckedSubmission {
  readonly labels: Uint8Array;
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
  const labels = reorder(submission, prediction);
  const { changedVoxels, dice, highest } = compareLabels(prediction.labels, labels);
  if (highest > segmentCount) {
    throw new AppError('correction-segment-unknown', `Segment ${highest} is not one of the model's ${segmentCount}.`, {
      segment: highest,
      segments: segmentCount,
    });
  }
  const known = new Set(prediction.slices);
  const approved = [...new Set(submission.approvedSlices)];
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
  if (submission.kind === 'accepted' && changedVoxels > 0) {
    throw new AppError('request-invalid', `Accepted means unchanged; ${changedVoxels} voxels differ.`, {
      changedVoxels,
    });
  }
  const vouched = new Set(approved);
  const slices = [...prediction.slices.keys()].filter((k) => vouched.has(prediction.slices[k] ?? ''));
  const diceBySegment = compareSegments(prediction, labels, slices, segmentCount);
  return { labels, approvedSlices: approved, changedVoxels, dice, diceBySegment };
}

/** The submission's labels in the prediction's slice order; every slice exactly once. */
function reorder(submission: KeyedLabels, prediction: KeyedLabels): Uint8Array {
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
  const position = new Map(submission.slices.map((uid, k) => [uid, k]));
  const ordered = new Uint8Array(submission.labels.length);
  for (const [k, uid] of slices.entries()) {
    const from = position.get(uid);
    if (from === undefined) throw mismatch('lacks a slice of it');
    ordered.set(submission.labels.subarray(from * pixels, (from + 1) * pixels), k * pixels);
  }
  return ordered;
}

function compareSegments(
  { rows, columns, labels: model }: KeyedLabels,
  reader: Uint8Array,
  slices: readonly number[],
  segmentCount: number,
): readonly (number | null)[] {
  const both = new Uint32Array(segmentCount + 1);
  const either = new Uint32Array(segmentCount + 1);
  for (const k of slices) {
    for (let i = k * rows * columns; i < (k + 1) * rows * columns; i++) {
      // No destructuring of arrays: the server answers nobody else meanwhile.
      const own = model[i] ?? 0;
      const label = reader[i] ?? 0;
      if (own === label) both[own] = (both[own] ?? 0) + 1;
      either[own] = (either[own] ?? 0) + 1;
      either[label] = (either[label] ?? 0) + 1;
    }
  }
  return Array.from({ length: segmentCount }, (_, n) => {
    const sum = either[n + 1] ?? 0;
    return sum === 0 ? null : (2 * (both[n + 1] ?? 0)) / sum;
  });
}

function compareLabels(model: Uint8Array, reader: Uint8Array) {
  let changedVoxels = 0;
  let both = 0;
  let either = 0;
  let highest = 0;
  // No iterator: it costs ten times as much, and the server answers nobody else meanwhile.
  for (let i = 0; i < reader.length; i++) {
    const own = model[i] ?? 0;
    const label = reader[i] ?? 0;
    if (own !== label) changedVoxels += 1;
    else if (label > 0) both += 1;
    either += Number(own > 0) + Number(label > 0);
    if (label > highest) highest = label;
  }
  return { changedVoxels, dice: either === 0 ? 1 : (2 * both) / either, highest };
}
