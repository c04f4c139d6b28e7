import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { AppError } from '../errors/app-error.ts';
import type { Registry } from '../registry/registry.ts';
import { createPacs, type Pacs } from '../study/dicomweb.ts';
import type { CaseOrder, CaseState, WorklistCase } from '../worklist/case.ts';
import { createWorklists, type WorklistPage, type Worklists } from '../worklist/worklists.ts';
import type { Outcome } from './output.ts';
import { openPacs } from './pacs.ts';
import { servedUrl } from './served.ts';
import { openRegistry, withDatabase } from './state.ts';

/** Options of `uncol worklist`. */
export interface WorklistArguments {
  readonly model?: string;
  readonly order: CaseOrder;
  readonly state?: CaseState;
}

/** Whoever sits at the terminal: claims of readers are others'. */
const reader = 'command-line';
/** Cases that are listed at most. */
const most = 10_000;

/** The cases of a model in an order; without a model, how many cases of each stand where. */
export function runWorklist({ model, order, state }: WorklistArguments): Promise<Outcome> {
  const settings = loadSettings();
  return withDatabase(settings, async (database) => {
    if (!database) return { json: { models: [] }, lines: ['Nothing was ever served from this home.'] };
    const registry = openRegistry(settings, database);
    const pacs = await openServedPacs(settings);
    try {
      const worklists = createWorklists({ database, registry, pacs });
      if (model === undefined) return await countAll(worklists, registry);
      const request = { model, order, state, reader };
      const page = await worklists.read({ ...request, limit: most, offset: 0 });
      const { listedAt, ...found } = page;
      const lines = page.items.map(describe);
      return {
        json: { model, order, listedAt: listedAt.toISOString(), ...found },
        lines: lines.length > 0 ? lines : [`No case of ${model} is there${state ? ` that is ${state}` : ''}.`],
      };
    } finally {
      await pacs.close();
    }
  });
}

async function countAll(worklists: Worklists, registry: Registry): Promise<Outcome> {
  const serving = (await registry.list()).filter(({ inService }) => inService).map(({ card }) => card.name);
  const models = [];
  for (const model of serving) {
    const { total, counts } = await worklists.read({ model, order: 'worklist', reader, limit: 1, offset: 0 });
    models.push({ model, total, counts });
  }
  return { json: { models }, lines: models.map(({ model, counts }) => `${model}  ${describeCounts(counts)}`) };
}

/** The PACS that the server stands on: that of the settings, or the server's own, which only a running server reaches. */
async function openServedPacs(settings: Settings): Promise<Pick<Pacs, 'searchSeries' | 'close'>> {
  if (settings.pacsUrl !== undefined) return openPacs(settings, settings.pacsUrl);
  const url = `${servedUrl(settings)}/dicom-web`;
  const pacs = createPacs({ url, idleSeconds: settings.pacsIdleSeconds, retries: 0, profile: 'orthanc' });
  return {
    searchSeries: (query) =>
      pacs.searchSeries(query).catch((cause: unknown) => {
        throw new AppError(
          'pacs-unreachable',
          `The own PACS is there while \`uncol serve\` runs; nothing answers at ${url}.`,
          {},
          { cause },
        );
      }),
    close: () => pacs.close(),
  };
}

function describe(item: WorklistCase): string {
  const { studyDate, state, uncertainty, version, modality, bodyPart, openBy, conflict, studyInstanceUid } = item;
  const score = uncertainty === null ? '-    ' : uncertainty.toFixed(3);
  const marks = [
    ...(version === null ? [] : [`by version ${version}`]),
    ...(openBy === null ? [] : ['open by a reader']),
    ...(conflict ? ['readers disagree'] : []),
  ];
  const kind = [modality, ...(bodyPart === null ? [] : [bodyPart])].join(' ');
  const date = studyDate ?? '        ';
  return [date, state.padEnd(9), score, studyInstanceUid, kind, ...marks].join('  ');
}

function describeCounts(counts: WorklistPage['counts']): string {
  return Object.entries(counts)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
}
