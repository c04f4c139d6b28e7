import { z } from 'zod';
import { AppError } from '../../errors/app-error.ts';
import { errorTable } from '../../errors/table.ts';
import type { JobQueue } from '../../jobs/queue.ts';
import { openRound } from '../../jobs/round-start.ts';
import { generalizedTeacherUnknown, type RoundVerdict } from '../../jobs/rounds.ts';
import type { Registry } from '../../registry/registry.ts';
import { appendAudit } from '../../store/audit.ts';
import type { BlobStore } from '../../store/blobs.ts';
import type { Database } from '../../store/database.ts';
import { countPool } from '../../store/pool.ts';
import { insertRefusal, listRounds, type RoundRow, readRound } from '../../store/rounds.ts';
import { id, modelName } from '../contract.ts';
import {
  type Candidate,
  candidate,
  type Round,
  round,
  roundList,
  startRound,
  withReason,
} from '../contract-learning.ts';
import { defineRoute, type Route } from '../route.ts';

export interface RoundRouteParts {
  readonly database: Database;
  readonly queue: JobQueue;
  readonly registry: Registry;
  readonly blobs: BlobStore;
}

const immutable = { 'cache-control': 'private, max-age=31536000, immutable' };

/** Rounds with their verdicts, and what they made. */
export function roundRoutes(parts: RoundRouteParts): Route[] {
  const { database, registry, blobs } = parts;
  return [
    defineRoute({
      method: 'get',
      path: '/v1/rounds',
      summary: 'Rounds, newest first',
      tag: 'rounds',
      role: 'reader',
      query: z.strictObject({
        model: modelName.optional(),
        limit: z.coerce.number().int().min(1).max(100).default(100),
      }),
      replies: { 200: roundList },
      handle: async ({ query }) => ({
        status: 200,
        body: { rounds: (await listRounds(database, query.model, query.limit)).map(presentRound) },
      }),
    }),
    defineRoute({
      method: 'get',
      path: '/v1/rounds/{id}',
      summary: 'One round with its verdict',
      tag: 'rounds',
      role: 'reader',
      params: z.strictObject({ id }),
      replies: { 200: round },
      handle: async ({ params }) => ({ status: 200, body: presentRound(await find(params.id)) }),
    }),
    defineRoute({
      method: 'get',
      path: '/v1/rounds/{id}/pictures/{subject}',
      summary: 'The slice of a generated subject on which a candidate did worst, with outlines of both versions',
      tag: 'rounds',
      role: 'reader',
      params: z.strictObject({ id, subject: z.string().regex(/^[a-z0-9-]{1,40}$/) }),
      replies: {
        200: { mediaType: 'image/svg+xml', description: 'Truth solid, in service dotted, candidate dashed.' },
      },
      async handle({ params }) {
        const { cases } = (await readCandidate(params.id)).verdict;
        const picture = cases.find(({ subject }) => subject === params.subject)?.picture;
        if (!picture) throw new AppError('not-found', `Round ${params.id} has no picture of that subject.`);
        return { status: 200, headers: immutable, bytes: await blobs.get(picture) };
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/rounds',
      summary: 'Start a round now',
      tag: 'rounds',
      role: 'trainer',
      body: startRound,
      replies: { 202: round },
      async handle({ body, caller }) {
        const { model: modelName } = body;
        const { card } = await registry.resolve(modelName);
        const { labelledSeries } = await countPool(database, modelName);
        if (labelledSeries === 0)
          throw new AppError('round-no-corrections', `No correction of ${modelName} may train.`);
        const start = { modelName, fromVersion: card.version, trigger: 'person', owner: caller.subject } as const;
        const roundId = await database.transaction((tx) => openRound(tx, parts.queue, start));
        if (!roundId)
          throw new AppError('round-running', `A round of ${modelName} is queued or running.`, { modelName });
        return { status: 202, headers: { location: `/v1/rounds/${roundId}` }, body: presentRound(await find(roundId)) };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/candidates/{id}',
      summary: "What a round made, with evidence and verdict; its id is the round's",
      tag: 'rounds',
      role: 'reader',
      params: z.strictObject({ id }),
      replies: { 200: candidate },
      async handle({ params }) {
        return { status: 200, body: await readCandidate(params.id) };
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/candidates/{id}/refusal',
      summary: 'Refuse a candidate that passed the gate; its version stays on record',
      tag: 'rounds',
      role: 'admin',
      params: z.strictObject({ id }),
      body: withReason,
      replies: { 200: candidate },
      async handle({ params, body, caller }) {
        const before = await readCandidate(params.id);
        const { version } = before;
        const refuse = (why: string) => new AppError('refusal-not-possible', why, { version: version ?? 0 });
        if (version === null) throw refuse('The gate has refused this candidate itself.');
        if (before.inService) throw refuse(`${before.model}@${version} is in service: roll it back.`);
        const refusal = { actor: caller.subject, reason: body.reason, at: new Date().toISOString() };
        await database.transaction(async (tx) => {
          if (!(await insertRefusal(tx, params.id, refusal))) throw refuse('It has been refused before.');
          const object = { roundId: params.id, model: before.model, version, reason: body.reason };
          await appendAudit(tx, { actor: caller.subject, action: 'candidate-refused', object });
        });
        return { status: 200, body: await readCandidate(params.id) };
      },
    }),
  ];

  async function readCandidate(roundId: string): Promise<Candidate> {
    const row = await readRound(database, roundId);
    if (!row?.verdict) throw new AppError('candidate-not-found', `There is no candidate ${roundId}.`);
    const { card } = await registry.resolve(row.modelName);
    return presentCandidate(row, row.verdict as RoundVerdict, card.version);
  }

  async function find(roundId: string): Promise<RoundRow> {
    const row = await readRound(database, roundId);
    if (!row) throw new AppError('round-not-found', `There is no round ${roundId}.`);
    return row;
  }
}

/** A row as the contract has it. */
export function presentRound(row: RoundRow): Round {
  const verdict = row.verdict as RoundVerdict | null;
  return {
    id: row.id,
    jobId: row.jobId,
    trigger: row.trigger,
    model: row.modelName,
    fromVersion: row.fromVersion,
    toVersion: row.toVersion,
    state: row.state,
    labelledSlices: row.labelledSlices,
    replaySlices: row.replaySlices,
    unlabelledSlices: row.unlabelledSlices,
    generalizedTeacher: row.generalizedTeacher || generalizedTeacherUnknown,
    verdict: verdict && presentVerdict(verdict),
    refusal: row.refusal && { reason: row.refusal.reason, at: row.refusal.at },
    error: row.error && { code: row.error.code, message: row.error.message, hint: errorTable[row.error.code].hint },
    startedAt: row.startedAt?.toISOString() ?? null,
    finishedAt: row.finishedAt?.toISOString() ?? null,
  };
}

function presentCandidate(row: RoundRow, verdict: RoundVerdict, inService: number): Candidate {
  return {
    id: row.id,
    model: row.modelName,
    parent: row.fromVersion,
    version: row.toVersion,
    inService: row.toVersion === inService,
    refusal: row.refusal && { reason: row.refusal.reason, at: row.refusal.at },
    verdict: presentVerdict(verdict),
    evidence: verdict.evidence,
  };
}

function presentVerdict({ evidence: _, ...shown }: RoundVerdict): NonNullable<Round['verdict']> {
  return shown;
}
