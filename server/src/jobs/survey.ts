import type { Registry } from '../registry/registry.ts';
import type { Database } from '../store/database.ts';
import { hasOpenJob, listOpenJobs } from '../store/job-progress.ts';
import { listFailures } from '../store/worklist.ts';
import { volumeKey } from '../study/volume-address.ts';
import type { Log } from '../telemetry/log.ts';
import type { WorklistCase } from '../worklist/case.ts';
import type { Worklists } from '../worklist/worklists.ts';
import { startClock } from './clock.ts';
import { hashRequest, openInference } from './infer-start.ts';
import type { JobQueue } from './queue.ts';

/** Who asks for what nobody has asked for yet. */
const owner = 'server';

/** How often it is looked whether a case may be segmented ahead. */
const clockMs = 5000;

/** A model that fails on this many series within an hour meets a fault that is not theirs: PACS, engine, memory. */
const mostFailures = 5;
const failureMs = 3_600_000;

export interface SurveyParts {
  readonly database: Database;
  readonly queue: JobQueue;
  readonly registry: Registry;
  readonly worklists: Worklists;
  /** Open cases to have scored, of each model; 0 turns it off. */
  readonly ahead: number;
  /** Whether nothing may be read from the PACS that nobody waits for. */
  readonly isQuiet?: () => boolean;
}

/** Segments cases of worklists in use before they are opened: only then are there scores to order them by. @returns what ends it. */
export function startSurveyClock({ log, ...parts }: SurveyParts & { readonly log: Log }): () => Promise<void> {
  if (parts.ahead === 0) return async () => undefined;
  return startClock(clockMs, () => surveyNext(parts), { log, what: 'No case could be segmented ahead' });
}

/**
 * Sends the next case, of the first model whose worklist a reader has asked for and that has fewer scored than wanted. One
 * at a time and only when nothing else waits or runs: what readers and rounds ask for goes first.
 *
 * @returns the id of the inference; undefined when there is nothing to do.
 */
export async function surveyNext({
  database,
  queue,
  registry,
  worklists,
  ahead,
  isQuiet,
}: SurveyParts): Promise<string | undefined> {
  if (isQuiet?.() || (await hasOpenJob(database))) return undefined;
  let fault: unknown;
  for (const model of worklists.askedFor()) {
    // One model's fault is not another's.
    const opened = await surveyModel(model).catch((error: unknown) => {
      fault = error;
      return undefined;
    });
    if (opened !== undefined) return opened;
  }
  if (fault !== undefined) throw fault;
  return undefined;

  async function surveyModel(model: string): Promise<string | undefined> {
    const { card } = await registry.resolve(model);
    const cases = await worklists.list({ model, order: 'uncertainty', reader: owner });
    const open = cases.filter(({ state }) => state === 'new' || state === 'segmented');
    if (open.filter(isScored).length >= ahead) return undefined;
    const failures = await listFailures(database, card.name, card.version);
    const recent = failures.filter(({ at }) => at.getTime() > Date.now() - failureMs);
    if (recent.length >= mostFailures) return undefined;
    // A series with a fault of its own will have it again; any other fault may be over in an hour.
    const lasting = failures.filter(({ code }) => code.startsWith('series-'));
    const failed = new Set([...lasting, ...recent].map(volumeKey));
    // What a reader has open, the reader has segmented.
    const next = open.find((each) => !isScored(each) && each.openBy === null && !failed.has(volumeKey(each)));
    if (!next) return undefined;
    const requestSha256 = hashRequest(next, `${card.name}@${card.version}`);
    const request = { requestedBy: owner, requestSha256, idempotencyKey: null };
    const opened = await database.transaction((tx) => openInference(tx, queue, { series: next, card, ...request }));
    return opened?.id;
  }
}

/** Ends what is being segmented ahead, for somebody waits: it comes again when the queue is empty. */
export async function endSurvey({ database, queue }: Pick<SurveyParts, 'database' | 'queue'>): Promise<void> {
  const jobs = await listOpenJobs(database, 'infer');
  for (const job of jobs) if (job.owner === owner) await queue.cancel(job.id);
}

/** By the version in service. */
function isScored({ uncertainty }: WorklistCase): boolean {
  return uncertainty !== null;
}
