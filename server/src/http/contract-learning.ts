/** What is on the wire of learning: pool, rounds, verdicts, promotions. Imports only zod, as contract.ts does. */
import { z } from 'zod';
import { id, modelName, uid, volume } from './contract.ts';

/** Of an act, for those who read the record later; no patient data. */
const reason = z.string().trim().min(3).max(200);

const hold = z.object({ reason: z.string(), since: z.string() });

export const pool = z
  .object({
    model: modelName,
    labelledStudies: z.int(),
    labelledSlices: z.int(),
    heldOutStudies: z.int(),
    /** Corrections still missing until the next round. */
    untilRound: z.int(),
    /** What holds the next round back though there are corrections enough. */
    waits: z
      .object({
        for: z.enum(['open-round', 'pause', 'another-correction', 'gap', 'day', 'hours']),
        until: z.string().nullable(),
      })
      .nullable(),
    /** Rounds do not start by themselves. */
    pause: hold.nullable(),
    /** The version in service stays; what passes the gate waits. */
    pin: hold.nullable(),
    /** The version in service. */
    inService: z.int(),
  })
  .meta({ id: 'Pool' });

/** Body of `POST /v1/pauses` and `POST /v1/pins`. */
export const startHold = z.strictObject({ model: modelName, reason }).meta({ id: 'StartHold' });

/** With unlabelled studies and without. */
const roundArm = z.enum(['uncol', 'supervised']);

const comparedSet = z.enum(['base', 'held-out']);
/**
 * `better`: at most 5 % of candidates without a true gain are called so. `unclear`: the subjects cannot tell that it has
 * lost no more than the margin. `worse`: a rule is broken.
 */
const comparisonWord = z.enum(['better', 'not worse', 'unclear', 'worse']);

/** How one version did on one subject; lists have segment 1 first. */
const caseScores = z.object({
  dice: z.number(),
  diceBySegment: z.array(z.number()).readonly(),
  /** Segments in the truth that the mask lacks. */
  missed: z.int(),
  hausdorff95MmBySegment: z.array(z.number().nullable()).readonly(),
});

/** Candidate and version in service on one set of subjects that never train. */
const comparison = z.object({
  set: comparedSet,
  subjects: z.int(),
  inServiceDice: z.number(),
  candidateDice: z.number(),
  gain: z.object({ mean: z.number(), low: z.number(), high: z.number() }),
  word: comparisonWord,
  faults: z.array(z.string()).readonly(),
});

export const verdict = z
  .object({
    outcome: z.enum(['promoted', 'refused', 'waiting']),
    /** One or two sentences with their numbers. */
    reason: z.string(),
    word: comparisonWord.nullable(),
    /** On the base set. */
    inServiceDice: z.number(),
    candidateDice: z.number(),
    comparisons: z.array(comparison).readonly(),
    heldOut: z.object({ patients: z.int(), needed: z.int() }),
    /** What a candidate may lose at most. */
    rule: z.object({ epsilon: z.number(), margin: z.number(), segmentEpsilon: z.number(), hausdorffMm: z.number() }),
    /** Which weights won: how they learnt (null: the version in service stays), student or specialized teacher, and the step. */
    chosen: z.object({
      arm: roundArm.nullable(),
      source: z.enum(['student', 'specialized-teacher', 'in-service']),
      step: z.int(),
    }),
    cases: z
      .array(
        z.object({
          subject: z.string(),
          set: comparedSet,
          inService: caseScores,
          candidate: caseScores,
          /** There is one at `GET /v1/rounds/{id}/pictures/{subject}`; never of a patient. */
          picture: z.string().optional(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'Verdict' });

const refusal = z.object({ reason: z.string(), at: z.string() });

export const round = z
  .object({
    id,
    /** What started it: corrections enough, its hour after a wait, or a person. */
    trigger: z.enum(['corrections', 'clock', 'person']),
    jobId: id,
    model: modelName,
    fromVersion: z.int(),
    toVersion: z.int().nullable(),
    state: z.enum(['planned', 'training', 'evaluating', 'done', 'failed']),
    labelledSlices: z.int(),
    replaySlices: z.int(),
    unlabelledSlices: z.int(),
    /** Which generalized teacher taught, for which classes it was admitted, or why it abstained. */
    generalizedTeacher: z.string(),
    verdict: verdict.nullable(),
    /** A person refused what had passed the gate. */
    refusal: refusal.nullable(),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
    startedAt: z.string().nullable(),
    finishedAt: z.string().nullable(),
  })
  .meta({ id: 'Round' });

/** What a round made: its id is the round's. */
export const candidate = z
  .object({
    id,
    model: modelName,
    parent: z.int(),
    /** Null when the gate refused it: no version was made. */
    version: z.int().nullable(),
    inService: z.boolean(),
    refusal: refusal.nullable(),
    verdict,
    evidence: z.object({
      /** Dice on all slices that readers vouched for. */
      corrected: z.object({ before: z.number(), after: z.number() }),
      /** Dice of the candidate on the corrections that are new; null when they hold nothing. */
      newCorrections: z.number().nullable(),
      /** Each way of learning that was tried: its best weights, and loss terms and trust rates, means over the steps. */
      arms: z
        .array(
          z.object({
            arm: roundArm,
            source: z.enum(['student', 'specialized-teacher']),
            step: z.int(),
            /** Mean Dice on the subjects that candidates are chosen by. */
            subjects: z.number(),
            corrected: z.number(),
            /** Steps that it took, and the score at each evaluation (mean of both Dice); in rounds of earlier versions absent. */
            steps: z.int().optional(),
            scores: z.array(z.number()).readonly().optional(),
            means: z.record(z.string(), z.number()),
          }),
        )
        .readonly(),
      /** Series that could not be used, how many by error code. */
      passedOver: z.record(z.string(), z.int()),
    }),
  })
  .meta({ id: 'Candidate' });

/** How readers agreed with each version, newest first. */
export const quality = z
  .object({
    model: modelName,
    /** Labels, segment 1 first. */
    segments: z.array(z.string()),
    versions: z
      .array(
        z.object({
          version: z.int(),
          corrections: z.int(),
          /** Masks accepted as they were. */
          accepted: z.int(),
          /** Dice between the model's mask and the reader's on the slices vouched for. */
          dice: z.object({ mean: z.number(), sd: z.number() }).nullable(),
          segments: z.array(z.object({ mean: z.number().nullable(), corrections: z.int() })).readonly(),
          /** The latest ten corrections against those before, by a permutation test at 2.5 %; null with fewer than twenty. */
          drift: z.object({ latest: z.number(), before: z.number(), p: z.number(), isFalling: z.boolean() }).nullable(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'Quality' });

/** Answer of `GET /v1/rounds`, newest first; `?model=` leaves one model's. */
export const roundList = z.object({ rounds: z.array(round) }).meta({ id: 'RoundList' });
/** Body of `POST /v1/rounds`: start now, without waiting for more corrections. */
export const startRound = z.strictObject({ model: modelName }).meta({ id: 'StartRound' });
export const startPromotion = z
  .strictObject({ name: modelName, version: z.int().min(1), reason })
  .meta({ id: 'StartPromotion' });
/** Body of `POST /v1/rollbacks`. */
export const startRollback = z.strictObject({ model: modelName, reason }).meta({ id: 'StartRollback' });
/** Body of acts on one thing: refusal of a candidate, withdrawal or preference of a correction. */
export const withReason = z.strictObject({ reason }).meta({ id: 'WithReason' });
/** Body of `POST /v1/exclusions`. */
export const startExclusion = z
  .strictObject({
    ...{ model: modelName, studyInstanceUid: uid, seriesInstanceUid: uid, reason },
    /** Absent: the whole series. */
    volume: volume.optional(),
  })
  .meta({ id: 'StartExclusion' });
export const exclusion = z
  .object({
    ...{ model: modelName, studyInstanceUid: uid, seriesInstanceUid: uid, reason: z.string(), since: z.string() },
    /** Null: the whole series. */
    volume: volume.nullable(),
  })
  .meta({ id: 'Exclusion' });
/** Answer of `GET /v1/exclusions`, newest first. */
export const exclusionList = z.object({ exclusions: z.array(exclusion) }).meta({ id: 'ExclusionList' });

export type ExclusionList = z.infer<typeof exclusionList>;
export type StartExclusion = z.infer<typeof startExclusion>;
export type Pool = z.infer<typeof pool>;
export type Quality = z.infer<typeof quality>;
export type Candidate = z.infer<typeof candidate>;
export type Round = z.infer<typeof round>;
export type RoundList = z.infer<typeof roundList>;
export type StartRound = z.infer<typeof startRound>;
export type Verdict = z.infer<typeof verdict>;
