import { z } from 'zod';
import { AppError } from '../../errors/app-error.ts';
import { errorTable } from '../../errors/table.ts';
import type { JobQueue } from '../../jobs/queue.ts';
import { openRound } from '../../jobs/round-start.ts';
import { generalizedTeacherUnknown, type RoundVerdict } from '../../jobs/rounds.ts';
import { rollBack, serveVersion } from '../../promotion/promote.ts';
import type { Registry } from '../../registry/registry.ts';
import { countPool } from '../../store/corrections.ts';
import type { Database } from '../../store/database.ts';
import { listRounds, type RoundRow, readRound } from '../../store/rounds.ts';
import { id, model, modelName } from '../contract.ts';
import {
  type Candidate,
  candidate,
  type Round,
  round,
  roundList,
  startPromotion,
  startRound,
} from '../contract-learning.ts';
import { defineRoute, type Route } from '../route.ts';
import { presentModel } from './models.ts';

export interface RoundRouteParts {
  readonly database: Database;
  readonly queue: JobQueue;
  readonly registry: Registry;
}

/** Rounds with their verdicts, promotions. */
export function roundRoutes(parts: RoundRouteParts): Route[] {
  const { database, registry } = parts;
  return [
    defineRoute({
      method: 'get',
      path: '/v1/rounds',
      summary: 'Rounds, newest first',
      tag: 'rounds',
      role: 'reader',
      query: z.strictObject({ model: modelName.optional() }),
      replies: { 200: roundList },
      handle: async ({ query }) => ({
        status: 200,
        body: { rounds: (await listRounds(database, query.model)).map(presentRound) },
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
        const start = { modelName, fromVersion: card.version, owner: caller.subject };
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
        const row = await readRound(database, params.id);
        if (!row?.verdict) throw new AppError('candidate-not-found', `There is no candidate ${params.id}.`);
        const { card } = await registry.resolve(row.modelName);
        return { status: 200, body: presentCandidate(row, row.verdict as RoundVerdict, card.version) };
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/promotions',
      summary: 'Put a version in service: a candidate that waits, or an earlier one again',
      tag: 'rounds',
      role: 'admin',
      body: startPromotion,
      replies: { 201: model },
      async handle({ body, caller }) {
        const { name, version } = body;
        await registry.resolve(`${name}@${version}`);
        const current = await registry.resolve(name);
        await serveVersion(database, { name, version, inService: current.card.version }, caller.subject);
        return { status: 201, body: presentModel(await registry.resolve(name)) };
      },
    }),
    defineRoute({
      method: 'delete',
      path: '/v1/promotions/latest',
      summary: 'Take back the latest promotion of a model: what served before it serves again',
      tag: 'rounds',
      role: 'admin',
      query: z.strictObject({ model: modelName }),
      replies: { 200: model },
      async handle({ query, caller }) {
        await registry.resolve(query.model);
        await rollBack(database, query.model, caller.subject);
        return { status: 200, body: presentModel(await registry.resolve(query.model)) };
      },
    }),
  ];

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
    model: row.modelName,
    fromVersion: row.fromVersion,
    toVersion: row.toVersion,
    state: row.state,
    labelledSlices: row.labelledSlices,
    replaySlices: row.replaySlices,
    unlabelledSlices: row.unlabelledSlices,
    generalizedTeacher: row.generalizedTeacher || generalizedTeacherUnknown,
    verdict: verdict && presentVerdict(verdict),
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
    verdict: presentVerdict(verdict),
    evidence: verdict.evidence,
  };
}

function presentVerdict({ evidence: _, ...shown }: RoundVerdict): NonNullable<Round['verdict']> {
  return shown;
}
