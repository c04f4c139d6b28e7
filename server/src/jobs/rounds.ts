import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createVersion } from '../candidate/write-version.ts';
import { code } from '../config/code.ts';
import { AppError, type ErrorRecord, toErrorRecord } from '../errors/app-error.ts';
import { concludeVerdict, type GateVerdict, judge, type Promotion } from '../promotion/gate.ts';
import { promote } from '../promotion/promote.ts';
import { seesSlices } from '../registry/card.ts';
import type { ListedVersion, Registry } from '../registry/registry.ts';
import type { SigningKey } from '../registry/signature.ts';
import { hashWork } from '../round/checkpoint.ts';
import type { GateRule } from '../round/compare.ts';
import { describeArms } from '../round/outcome.ts';
import { type RoundPlan, roundPlanSchema } from '../round/plan.ts';
import { type Planning, planRound } from '../round/plan-round.ts';
import type { RoundPolicy } from '../round/policy.ts';
import type { RoundProgress } from '../round/run.ts';
import { appendAudit } from '../store/audit.ts';
import type { Database } from '../store/database.ts';
import { type Hold, readHold } from '../store/holds.ts';
import { readJob } from '../store/job-progress.ts';
import { holdAlias, insertModelVersion, listModelVersions } from '../store/models.ts';
import { markUsed } from '../store/pool.ts';
import { type RoundRow, readRound, updateRound } from '../store/rounds.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { JobHandler, JobTask } from './attempt.ts';
import type { Child } from './children.ts';
import { type JobPayload, jobKinds, type KindRow } from './kinds.ts';
import { checkRoom, measureRoom, neededRoom } from './preflight.ts';
import type { JobQueue } from './queue.ts';
import { failRound, removeRoundFolder } from './round-ends.ts';
import { openRoundIfDue } from './round-start.ts';
import type { TrainResult, TrainTask } from './train-child.ts';

/** The verdict of a round as it is stored and shown (contract: `verdict`). */
export interface RoundVerdict extends Omit<GateVerdict, 'passed'> {
  readonly outcome: 'promoted' | 'refused' | 'waiting';
  /** As the card of the version in service had it before the round. */
  readonly rule: GateRule;
  readonly chosen: TrainResult['outcome']['chosen'];
  readonly cases: TrainResult['outcome']['cases'];
  /** Dice on the corrected slices before and after, each way of learning that was tried: evidence for later questions. */
  readonly evidence: Pick<TrainResult['outcome'], 'corrected' | 'newCorrections' | 'exam' | 'arms' | 'passedOver'>;
}

export interface RoundParts extends Omit<Planning, 'card'> {
  readonly queue: JobQueue;
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly child: Child<TrainTask, RoundProgress, TrainResult>;
  /** `UNCOL_HOME/models` and `UNCOL_HOME/rounds`. */
  readonly modelFolder: string;
  readonly roundFolder: string;
  readonly policy: RoundPolicy;
  /** Signs what rounds make. */
  readonly signingKey: () => Promise<SigningKey>;
  /** Whether a candidate that passes the gate serves at once, or waits for a person. */
  readonly promotion: Promotion;
}

/** The handler of `train` jobs: plan, train in the child, judge, promote; then looks whether the next round is due. */
export function roundHandler(parts: RoundParts): JobHandler<JobPayload<'train'>> {
  const { database, queue, registry } = parts;
  return async (task) => {
    const round = await readRound(database, task.payload.roundId);
    if (!round) return;
    if (round.state === 'failed') return removeRoundFolder(parts.roundFolder, round.id);
    if (round.state !== 'done') {
      await runRoundJob(round, task, parts).catch(async (error: unknown) => {
        const record = toErrorRecord(error);
        if (await isFinal(record, task, database)) {
          await failRound(database, round.id, record);
          await removeRoundFolder(parts.roundFolder, round.id);
        }
        throw error;
      });
    }
    await removeRoundFolder(parts.roundFolder, round.id);
    const { modelName } = round;
    const { card } = await registry.resolve(modelName);
    await database.transaction((tx) =>
      openRoundIfDue(tx, queue, { modelName, fromVersion: card.version, trigger: 'corrections' }, parts.policy),
    );
  };
}

async function isFinal(record: ErrorRecord, task: JobTask<unknown>, database: Database): Promise<boolean> {
  if (record.code === 'job-cancelled') return (await readJob(database, task.id))?.state === 'cancelled';
  const { retryOn, queue }: KindRow = jobKinds.train;
  return !retryOn.has(record.code) || task.attempt >= queue.retryLimit;
}

async function runRoundJob(round: RoundRow, task: JobTask<unknown>, parts: RoundParts): Promise<void> {
  const { database, registry } = parts;
  const inService = await registry.resolve(`${round.modelName}@${round.fromVersion}`);
  task.report({ stage: 'plan', percent: 0, secondsLeft: null });
  await mkdir(parts.roundFolder, { recursive: true });
  checkRoom(await measureRoom(parts.roundFolder), neededRoom(inService.card));
  const plan = round.plan ? roundPlanSchema.parse(round.plan) : await fixPlan(round, inService, parts);
  await updateRound(database, round.id, { state: 'training', startedAt: round.startedAt ?? new Date() });
  const result = await parts.child.run(
    { plan, modelFolder: inService.folder, roundFolder: join(parts.roundFolder, round.id) },
    { signal: task.signal, onProgress: (progress) => tell(progress, task, parts.metrics) },
  );
  parts.metrics.embeddingsTotal.inc({ result: 'hit' }, result.embeddings.hits);
  parts.metrics.embeddingsTotal.inc({ result: 'miss' }, result.embeddings.misses);
  parts.metrics.keptVolumesTotal.inc({ result: 'hit' }, result.volumes.hits);
  parts.metrics.keptVolumesTotal.inc({ result: 'miss' }, result.volumes.misses);
  task.report({ stage: 'promote', percent: 99, secondsLeft: null });
  await updateRound(database, round.id, { state: 'evaluating' });
  await conclude(round, plan, inService, result, parts);
}

function tell(progress: RoundProgress, task: JobTask<unknown>, metrics: Metrics): void {
  task.report(progress);
  const { step: _step, steps: _steps, ...terms } = progress.figures;
  for (const [term, value] of Object.entries(terms)) metrics.roundLoss.set({ term }, value);
}

async function fixPlan(round: RoundRow, inService: ListedVersion, parts: RoundParts): Promise<RoundPlan> {
  const made = await listModelVersions(parts.database, round.modelName);
  const versions = [...(await parts.registry.list()).map(({ card }) => card), ...made];
  const ofModel = versions.filter(({ name }) => name === round.modelName).map(({ version }) => version);
  const toVersion = Math.max(...ofModel) + 1;
  const plan = await planRound(
    { roundId: round.id, fromVersion: round.fromVersion, toVersion },
    { ...parts, card: inService.card },
  );
  await parts.database.transaction(async (tx) => {
    await updateRound(tx, round.id, { plan });
    await markUsed(
      tx,
      plan.corrections.map(({ correctionId }) => correctionId),
      round.id,
    );
  });
  return plan;
}

/** Gate, version folder, and one transaction that ends the round. */
async function conclude(
  round: RoundRow,
  plan: RoundPlan,
  inService: ListedVersion,
  result: TrainResult,
  parts: RoundParts,
): Promise<void> {
  const { outcome } = result;
  const { gate: rule, segments } = inService.card;
  const isInService = outcome.chosen.source === 'in-service';
  const labels = segments.map(({ label }) => label);
  const { passed, ...judged } = judge({ ...outcome, isInService }, rule, labels);
  const planned: RoundVerdict = {
    ...judged,
    ...concludeVerdict({ passed, ...judged }, parts.promotion),
    rule,
    chosen: outcome.chosen,
    cases: outcome.cases,
    evidence: {
      corrected: outcome.corrected,
      newCorrections: outcome.newCorrections,
      exam: outcome.exam,
      arms: outcome.arms,
      passedOver: outcome.passedOver,
    },
  };
  const version = passed ? await createCandidate(plan, inService, planned, result, parts) : undefined;
  const highestSeed = await findHighestSeed(round.modelName, parts.registry);
  const verdict = await parts.database.transaction(async (tx) => {
    const serving = (await holdAlias(tx, round.modelName)) ?? highestSeed;
    const pin = await readHold(tx, 'model_pin', round.modelName);
    const verdict = planned.outcome === 'promoted' ? unlessHeld(planned, round.fromVersion, serving, pin) : planned;
    const isFirst = await updateRound(tx, round.id, {
      state: 'done',
      verdict,
      toVersion: version?.version ?? null,
      labelledSlices: outcome.slices.labelled,
      replaySlices: outcome.slices.replay,
      unlabelledSlices: outcome.slices.unlabelled,
      generalizedTeacher: outcome.generalizedTeacher,
      finishedAt: new Date(),
    });
    if (!isFirst) throw new AppError('job-cancelled', 'The round was cancelled before its verdict.');
    if (version && verdict.outcome === 'promoted')
      await promote(tx, version, { actor: 'server', reason: verdict.reason });
    else if (version) await insertModelVersion(tx, version);
    const object = {
      roundId: round.id,
      model: round.modelName,
      outcome: verdict.outcome,
      candidateDice: verdict.candidateDice,
    };
    await appendAudit(tx, { actor: 'server', action: 'verdict', object });
    return verdict;
  });
  parts.metrics.gateVerdictTotal.inc({ verdict: verdict.outcome });
}

async function findHighestSeed(modelName: string, registry: Registry): Promise<number | undefined> {
  const seeds = (await registry.list()).filter(({ card, origin }) => origin === 'seed' && card.name === modelName);
  return seeds[0]?.card.version;
}

/** A person put another version in service while the round ran, or pinned the one that serves: that is not undone. */
function unlessHeld(
  verdict: RoundVerdict,
  fromVersion: number,
  serving: number | undefined,
  pin: Hold | undefined,
): RoundVerdict {
  if (serving === fromVersion && !pin) return verdict;
  const why = pin
    ? `It waits to be put in service: version ${serving} is pinned (${pin.reason}).`
    : `It waits to be put in service: version ${serving} serves now, the round compared with version ${fromVersion}.`;
  return { ...verdict, outcome: 'waiting', reason: `${verdict.reason} ${why}` };
}

async function createCandidate(
  plan: RoundPlan,
  inService: ListedVersion,
  { outcome: _, ...judgement }: RoundVerdict,
  { outcome, tableHash, weightsPath, engine }: TrainResult,
  parts: RoundParts,
) {
  const { name, toVersion } = plan.model;
  const { weights: parentWeights, ...parentCard } = inService.card;
  const bytes = await readFile(weightsPath);
  const weights = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const recipe: unknown = JSON.parse(await readFile(join(inService.folder, 'recipe.json'), 'utf8'));
  const { labelled, replay, unlabelled } = outcome.slices;
  const pieces = seesSlices(inService.card) ? 'slices' : 'windows';
  const card = await createVersion(join(parts.modelFolder, name, String(toVersion)), {
    card: {
      ...parentCard,
      version: toVersion,
      engine,
      parent: { version: inService.card.version, sha256: parentWeights.sha256 },
      lineage: {
        round: plan.roundId,
        corrections: plan.corrections.length,
        planSha256: hashWork(plan),
        seed: plan.seed,
        code,
      },
      notes: [
        `Round ${plan.roundId} from version ${inService.card.version}: ${labelled} corrected, ${replay} replayed, ${unlabelled} unlabelled ${pieces}, ${plan.steps} steps.`,
        describeArms(outcome),
        outcome.generalizedTeacher,
        judgement.reason,
      ],
    },
    weights,
    tableHash,
    recipe,
    // Without its outcome: whether the version serves is the database's to say.
    metrics: { round: plan.roundId, verdict: judgement },
    signingKey: await parts.signingKey(),
  });
  return {
    name,
    version: toVersion,
    sha256: card.weights.sha256,
    parent: inService.card.version,
    roundId: plan.roundId,
  };
}

/** What the panel says of the generalized teacher before a round has run. */
export const generalizedTeacherUnknown = 'Which teachers taught is told when the round ends.';
