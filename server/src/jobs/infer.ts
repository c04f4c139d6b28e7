import { type SubjectParts, subjectOf } from '../correction/patient.ts';
import type { Registry } from '../registry/registry.ts';
import { finishPrediction } from '../store/inferences.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { JobHandler } from './attempt.ts';
import type { Child } from './children.ts';
import type { InferProgress, InferResult, InferTask } from './infer-child.ts';
import type { JobPayload } from './kinds.ts';

/** What inferences need. */
export interface InferParts extends SubjectParts {
  readonly registry: Registry;
  readonly child: Child<InferTask, InferProgress, InferResult>;
  /** Work that leaves the cores to an inference: training. */
  readonly background: { hold(): () => void };
  readonly metrics: Metrics;
}

/** The handler of `infer` jobs: has the child segment the series and keeps the outcome under the inference's id. */
export function inferHandler(parts: InferParts): JobHandler<JobPayload<'infer'>> {
  const { database, registry, child, background, metrics } = parts;
  return async ({ payload, signal, report }) => {
    const { inferenceId, studyInstanceUid, seriesInstanceUid, volume } = payload;
    const model = await registry.resolve(`${payload.model.name}@${payload.model.version}`);
    const started = performance.now();
    const onProgress = ({ stage, percent }: InferProgress) => {
      report({ stage, percent, secondsLeft: secondsLeft(performance.now() - started, percent) });
    };
    const release = background.hold();
    const task = { studyInstanceUid, seriesInstanceUid, volume, model };
    // Now, because a correction must be taken in also while the PACS is down.
    const subject = subjectOf(studyInstanceUid, parts, signal);
    // A fault of the child is the one to be told.
    subject.catch(() => undefined);
    const { result, ...kept } = await child.run(task, { signal, onProgress }).finally(release);
    const { key: subjectKey } = await subject;
    await finishPrediction(database, inferenceId, { ...kept, result, subjectKey });
    for (const [stage, ms] of Object.entries(result.timingsMs)) metrics.inferenceSeconds.observe({ stage }, ms / 1000);
  };
}

/** By the share done so far; null while that says too little. */
function secondsLeft(elapsedMs: number, percent: number): number | null {
  if (percent < 20) return null;
  return Math.ceil(((elapsedMs / percent) * (100 - percent)) / 1000);
}
