import { z } from 'zod';
import { AppError } from '../../errors/app-error.ts';
import { type Act, appendAudit } from '../../store/audit.ts';
import { preferCorrection, readCorrection, withdrawCorrection } from '../../store/corrections.ts';
import { deleteExclusion, type Exclusion, insertExclusion, listExclusions } from '../../store/exclusions.ts';
import { type Caller, includesRole } from '../auth.ts';
import { id, modelName, receipt, uid, volume } from '../contract.ts';
import { exclusion, exclusionList, startExclusion, withReason } from '../contract-learning.ts';
import { defineRoute, type Route } from '../route.ts';
import { type CorrectionParts, present } from './corrections.ts';

/** What people decide about corrections and series after the fact; nothing of it deletes anything. */
export function reviewRoutes(parts: CorrectionParts): Route[] {
  const { database, registry } = parts;
  return [
    defineRoute({
      method: 'post',
      path: '/v1/corrections/{id}/withdrawal',
      summary: 'Take a submission back: no later round learns from it; its SEG stays in the PACS',
      tag: 'corrections',
      role: 'annotator',
      params: z.strictObject({ id }),
      body: withReason,
      replies: { 200: receipt },
      async handle({ params, body, caller }) {
        const before = await find(params.id);
        if (before.reader !== caller.subject && !includesRole(caller.role, 'admin'))
          throw new AppError('not-allowed', 'Only its reader or an administrator may take a submission back.');
        await database.transaction(async (tx) => {
          if (!(await withdrawCorrection(tx, params.id, actOf(caller, body.reason)))) return;
          const object = { correctionId: params.id, model: before.modelName, reason: body.reason };
          await appendAudit(tx, { actor: caller.subject, action: 'correction-withdrawn', object });
        });
        return { status: 200, body: await present(parts, await find(params.id)) };
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/corrections/{id}/preference',
      summary: 'Let this correction count for its series in place of newer ones, as when two readers disagree',
      tag: 'corrections',
      role: 'admin',
      params: z.strictObject({ id }),
      body: withReason,
      replies: { 200: receipt },
      async handle({ params, body, caller }) {
        const before = await find(params.id);
        await database.transaction(async (tx) => {
          await preferCorrection(tx, params.id, actOf(caller, body.reason));
          const object = { correctionId: params.id, model: before.modelName, reason: body.reason };
          await appendAudit(tx, { actor: caller.subject, action: 'correction-preferred', object });
        });
        return { status: 200, body: await present(parts, await find(params.id)) };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/exclusions',
      summary: 'Series that rounds of a model leave alone, newest first',
      tag: 'rounds',
      role: 'reader',
      query: z.strictObject({ model: modelName }),
      replies: { 200: exclusionList },
      async handle({ query }) {
        const rows = await listExclusions(database, query.model);
        return { status: 200, body: { exclusions: rows.map(presentExclusion) } };
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/exclusions',
      summary: 'Let rounds of a model leave a series alone, corrected or not',
      tag: 'rounds',
      role: 'annotator',
      body: startExclusion,
      replies: { 201: exclusion },
      async handle({ body, caller }) {
        const { model, reason, volume = '', ...series } = body;
        await registry.resolve(model);
        const row = await database.transaction(async (tx) => {
          await appendAudit(tx, { actor: caller.subject, action: 'series-excluded', object: { model, reason } });
          return insertExclusion(tx, { modelName: model, ...series, volume, actor: caller.subject, reason });
        });
        return { status: 201, body: presentExclusion(row) };
      },
    }),
    defineRoute({
      method: 'delete',
      path: '/v1/exclusions',
      summary: 'Let rounds of a model learn from a series again',
      tag: 'rounds',
      role: 'annotator',
      query: z.strictObject({ model: modelName, seriesInstanceUid: uid, volume: volume.optional() }),
      replies: { 200: exclusionList },
      async handle({ query, caller }) {
        const { model, seriesInstanceUid, volume = '' } = query;
        await database.transaction(async (tx) => {
          if (!(await deleteExclusion(tx, model, { seriesInstanceUid, volume }))) return;
          await appendAudit(tx, { actor: caller.subject, action: 'series-included', object: { model } });
        });
        const rows = await listExclusions(database, model);
        return { status: 200, body: { exclusions: rows.map(presentExclusion) } };
      },
    }),
  ];

  async function find(correctionId: string) {
    const row = await readCorrection(database, correctionId);
    if (!row) throw new AppError('not-found', `There is no correction ${correctionId}.`);
    return row;
  }
}

function actOf({ subject }: Caller, reason: string): Act {
  return { actor: subject, reason, at: new Date().toISOString() };
}

function presentExclusion({ modelName: model, volume, reason, since, ...row }: Exclusion) {
  const { studyInstanceUid, seriesInstanceUid } = row;
  return { model, studyInstanceUid, seriesInstanceUid, volume: volume || null, reason, since: since.toISOString() };
}
