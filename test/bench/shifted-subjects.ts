import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { encodeEnvelope } from '../../server/src/labelmap/envelope.ts';
import type { RoundSources } from '../../server/src/round/gather.ts';
import { type RoundPlan, roundPlanSchema } from '../../server/src/round/plan.ts';
import type { Colin27 } from '../../server/src/sample/colin27.ts';
import { generateSubject } from '../../server/src/sample/generator.ts';
import type { SourceSeries } from '../../server/src/study/source-series.ts';

/** A generated subject as a series, with its truth; of another scanner unless said. */
export interface ShiftedSubject {
  readonly series: SourceSeries;
  /** 1 in the lesion, on the grid of the series. */
  readonly truth: Uint8Array;
}

/** A lesion subject, 2 mm axial. @param domain `base`: of those that the first version was made of. */
export function makeShifted(colin: Colin27, seed: number, domain: 'base' | 'G' | 'V' = 'G'): ShiftedSubject {
  const spacingMm = [2, 2, 2] as const;
  const options = { seed, task: 'lesion', variation: 'sample', plane: 'axial', spacingMm } as const;
  const { volume, truth } = generateSubject(colin, domain === 'base' ? options : { ...options, domain });
  const root = `2.25.${seed}`;
  const instances = Array.from({ length: volume.geometry.size[2] }, (_, k) => ({
    sopClassUid: '1.2.840.10008.5.1.4.1.1.4',
    sopInstanceUid: `${root}.3.${k}`,
  }));
  const series = {
    studyInstanceUid: `${root}.1`,
    seriesInstanceUid: `${root}.2`,
    frameOfReferenceUid: `${root}.4`,
    modality: 'MR',
    instances,
    volume,
    header: {},
    lossy: false,
    notes: [],
  };
  return { series, truth };
}

/** What a reader may have looked at, by k: slices spread evenly through the lesion, and through the rest of the head. */
export function chooseApproved(
  { series, truth }: ShiftedSubject,
  counts: { readonly lesion: number; readonly rest: number },
): ReadonlySet<number> {
  const [columns, rows, slices] = series.volume.geometry.size;
  const pixels = columns * rows;
  const all = Array.from({ length: slices }, (_, k) => k);
  const holdsLesion = (k: number) => truth.subarray(k * pixels, (k + 1) * pixels).includes(1);
  const filled = all.filter(holdsLesion);
  const empty = all.filter((k) => !holdsLesion(k));
  return new Set([...evenly(filled, counts.lesion), ...evenly(empty, counts.rest)]);
}

function evenly(items: readonly number[], count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)] ?? 0);
}

/** A round on one subject's approved slices, and what reads it: memory in place of PACS and blob folder. */
export function planFirstRound(
  seed: number,
  steps: number,
  corrected: ShiftedSubject,
  approved: ReadonlySet<number>,
  uncorrected: readonly ShiftedSubject[],
): PlannedInMemory {
  const corrections = [{ subject: corrected, labels: corrected.truth, approved, isNew: true }];
  return planInMemory({ seed, steps, unlabelledSlices: 60 }, corrections, uncorrected);
}

/** What a reader is made to say of a subject. */
export interface SaidOf {
  readonly subject: ShiftedSubject;
  /** 1 where the reader sees the lesion, on the grid of the series; only approved slices of it are told. */
  readonly labels: Uint8Array;
  readonly approved: ReadonlySet<number>;
  readonly isNew: boolean;
}

type PlannedInMemory = { readonly plan: RoundPlan } & Pick<RoundSources, 'readSeries' | 'blobs'>;

/** The same of any corrections. */
export function planInMemory(
  of: Pick<RoundPlan, 'seed' | 'steps' | 'unlabelledSlices'>,
  corrections: readonly SaidOf[],
  uncorrected: readonly ShiftedSubject[],
): PlannedInMemory {
  const uuid = (kind: number) => `00000000-0000-4000-8000-${String(kind * 1e6 + of.seed).padStart(12, '0')}`;
  const refOf = ({ series: { studyInstanceUid, seriesInstanceUid } }: ShiftedSubject) => ({
    studyInstanceUid,
    seriesInstanceUid,
  });
  const blobs = new Map<string, Uint8Array>();
  const plan = roundPlanSchema.parse({
    ...of,
    roundId: uuid(1),
    model: { name: 'lesion-mr', fromVersion: 1, toVersion: 2 },
    corrections: corrections.map((said, at) => {
      const envelope = envelopeOf(said);
      const labelmapSha256 = createHash('sha256').update(envelope).digest('hex');
      blobs.set(labelmapSha256, envelope);
      return {
        ...refOf(said.subject),
        correctionId: uuid(2 + at),
        labelmapSha256,
        approvedSlices: [...said.approved].map((k) => said.subject.series.instances[k]?.sopInstanceUid),
        isNew: said.isNew,
      };
    }),
    unlabelled: uncorrected.map(refOf),
  });
  const subjects = [...corrections.map(({ subject }) => subject), ...uncorrected];
  const all = new Map(subjects.map(({ series }) => [series.seriesInstanceUid, series]));
  return {
    plan,
    async readSeries({ seriesInstanceUid }) {
      const series = all.get(seriesInstanceUid);
      if (!series) throw new RangeError(`no series ${seriesInstanceUid}`);
      return series;
    },
    blobs: {
      // Pictures of a verdict: named, and kept by nobody.
      put: async (bytes) => createHash('sha256').update(bytes).digest('hex'),
      get: async (sha256) => Buffer.from(blobs.get(sha256) ?? []),
    },
  };
}

/** What was said of the approved slices; elsewhere nothing, so that a round which read it there would learn wrong. */
function envelopeOf({ subject: { series }, labels: said, approved }: SaidOf): Uint8Array {
  const [columns, rows] = series.volume.geometry.size;
  const pixels = columns * rows;
  const labels = new Uint8Array(said.length);
  for (const k of approved) labels.set(said.subarray(k * pixels, (k + 1) * pixels), k * pixels);
  const slices = series.instances.map((instance) => instance.sopInstanceUid);
  return gzipSync(encodeEnvelope({ columns, rows, slices }, labels));
}
