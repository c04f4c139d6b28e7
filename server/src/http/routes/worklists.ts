import type { WorklistCase } from '../../worklist/case.ts';
import type { Worklists } from '../../worklist/worklists.ts';
import { nextCase, startNextCase, type WorklistItem, worklist, worklistQuery } from '../contract-worklist.ts';
import { defineRoute, type Route } from '../route.ts';

/** Descriptions and dates of studies are in the answers. */
const headers = { 'cache-control': 'no-store' } as const;

/** What there is to read, and in which order: the studies that fit a model. */
export function worklistRoutes({ worklists }: { readonly worklists: Worklists }): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/worklist',
      summary: 'Studies of the PACS that fit a model, what has become of each, in the order to read them',
      tag: 'worklist',
      role: 'reader',
      query: worklistQuery,
      replies: { 200: worklist },
      async handle({ query, caller }) {
        const { listedAt, modalities, bodyParts, items, ...counted } = await worklists.read({
          ...query,
          reader: caller.subject,
        });
        const body = {
          ...counted,
          model: query.model,
          order: query.order,
          listedAt: listedAt.toISOString(),
          modalities: [...modalities],
          bodyParts: [...bodyParts],
          items: items.map(presentCase),
        };
        return { status: 200, headers, body };
      },
    }),
    defineRoute({
      method: 'post',
      path: '/v1/next-cases',
      summary: 'Open the next case of a worklist: nobody else is offered it for half an hour',
      tag: 'worklist',
      role: 'annotator',
      body: startNextCase,
      replies: { 200: nextCase },
      async handle({ body, caller }) {
        const item = await worklists.openNext({ ...body, reader: caller.subject });
        return { status: 200, headers, body: { item: item ? presentCase(item) : null, order: body.order } };
      },
    }),
  ];
}

/** A case as the contract has it. */
function presentCase(studyCase: WorklistCase): WorklistItem {
  return { ...studyCase, volume: studyCase.volume || null };
}
