import { z } from 'zod';
import { AppError } from '../../errors/app-error.ts';
import { seesSlices } from '../../registry/card.ts';
import { fittingVersions } from '../../registry/choose.ts';
import type { ListedVersion, Registry } from '../../registry/registry.ts';
import type { Pacs, SeriesAddress } from '../../study/pacs.ts';
import { type Model, model, modelList, modelName, uid } from '../contract.ts';
import { defineRoute, type Route } from '../route.ts';

/** The models: all of them, or those whose card fits a series. */
export function modelRoutes({ registry, pacs }: { readonly registry: Registry; readonly pacs: Pacs }): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/v1/models',
      summary: 'Every version; with a series, the versions in service that fit it, the best first',
      tag: 'models',
      role: 'reader',
      query: z.strictObject({ studyInstanceUid: uid.optional(), seriesInstanceUid: uid.optional() }),
      replies: { 200: modelList },
      async handle({ query: { studyInstanceUid, seriesInstanceUid }, signal }) {
        if ((studyInstanceUid === undefined) !== (seriesInstanceUid === undefined)) {
          throw new AppError('request-invalid', 'Name both studyInstanceUid and seriesInstanceUid, or none.');
        }
        const found =
          studyInstanceUid && seriesInstanceUid
            ? await listFitting(registry, pacs, { studyInstanceUid, seriesInstanceUid }, signal)
            : await registry.list();
        return { status: 200, body: { models: found.map(presentModel) } };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/v1/models/{name}/{version}',
      summary: 'One version; `in-service` stands for the one that serves',
      tag: 'models',
      role: 'reader',
      params: z.strictObject({ name: modelName, version: z.string().regex(/^(\d{1,6}|in-service)$/) }),
      replies: { 200: model },
      async handle({ params: { name, version } }) {
        const reference = version === 'in-service' ? name : `${name}@${version}`;
        return { status: 200, body: presentModel(await registry.resolve(reference)) };
      },
    }),
  ];
}

/** Versions in service whose card fits a series, in the order of {@link fittingVersions}. @throws AppError `series-not-found` */
export async function listFitting(
  registry: Registry,
  pacs: Pacs,
  address: SeriesAddress,
  signal?: AbortSignal,
): Promise<readonly ListedVersion[]> {
  const [series] = await pacs.searchSeries(address, signal);
  if (!series) throw new AppError('series-not-found', 'The PACS does not hold this series.');
  return fittingVersions(await registry.list(), series);
}

/** A version as the contract has it. */
export function presentModel({ card, inService }: ListedVersion): Model {
  return {
    name: card.name,
    version: card.version,
    sha256: card.weights.sha256,
    inService,
    title: card.title,
    trainedFor: card.trainedFor,
    modality: [...card.filter.modality],
    segments: card.segments.map(({ number, label, colour }) => ({ number, label, colour: [...colour] })),
    dimension: seesSlices(card) ? '2d' : '3d',
    parameters: { inference: card.architecture.inferenceParameters },
    parent: card.parent?.version ?? null,
    engine: card.engine,
    lineage: card.lineage ?? null,
    notes: [...card.notes],
  };
}
