import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadSettings } from '../config/load.ts';
import { AppError } from '../errors/app-error.ts';
import type { AcceptedJob, Job, Receipt } from '../http/contract.ts';
import type { OpenImport, StartImport } from '../http/contract-import.ts';
import { interruption, type Outcome } from './output.ts';
import { createServerClient, type ServerClient, servedUrl } from './served.ts';

/** Options of `uncol import`. */
export interface ImportArguments {
  readonly model?: string;
  readonly volume?: string;
  readonly segment: readonly string[];
  readonly leaveOut: readonly string[];
  readonly absent: readonly string[];
  readonly resample?: boolean;
  readonly everySlice?: boolean;
  readonly acceptAutomatic?: boolean;
  readonly server?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** Between two looks at a job, ms. */
const pauseMs = 500;

/**
 * Hands in a mask of the PACS through a running server, which first segments the series if its model has not: a
 * correction is held against an inference. The reader of record is whom the server takes the caller for.
 */
export async function runImport(
  studyInstanceUid: string,
  seriesInstanceUid: string,
  object: string,
  options: ImportArguments,
): Promise<Outcome> {
  const signal = interruption('Stopping ...');
  const url = (options.server ?? servedUrl(loadSettings())).replace(/\/$/, '');
  const server = await createServerClient(url, options.tokenFile, signal);
  const [objectSeries = '', sopInstanceUid] = object.split('/');
  const { model, volume, absent, resample = false, everySlice = false, acceptAutomatic = false } = options;
  const series = {
    ...{ studyInstanceUid, seriesInstanceUid },
    ...(model === undefined ? {} : { model }),
    ...(volume === undefined ? {} : { volume }),
  };
  const body: StartImport = {
    ...series,
    object: { seriesInstanceUid: objectSeries, ...(sopInstanceUid === undefined ? {} : { sopInstanceUid }) },
    structures: [...options.segment.map(readPair), ...options.leaveOut.map((from) => ({ from, to: null }))],
    ...{ absent: [...absent], resample, everySlice, acceptAutomatic },
  };
  const send = () => server.post('/v1/imports', body, randomUUID());
  const answer = await send().catch(async (error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'inference-not-found') throw error;
    await segment(server, series, signal);
    return send();
  });
  return answer.status === 200 ? askFor(answer.body as OpenImport) : confirm(answer.body as Receipt);
}

/** `label=segment`; a label may hold the sign, a segment of a card does not. */
function readPair(text: string): StartImport['structures'][number] {
  const at = text.lastIndexOf('=');
  if (at > 0 && at < text.length - 1) return { from: text.slice(0, at), to: text.slice(at + 1) };
  throw new AppError('request-invalid', '--segment takes <structure>=<segment>, e.g. "Hirn=Brain".');
}

async function segment(server: ServerClient, series: object, signal: AbortSignal): Promise<void> {
  process.stderr.write('The model has not segmented the series yet; it does so now.\n');
  const { jobId } = (await server.post('/v1/inferences', series, randomUUID())).body as AcceptedJob;
  for (;;) {
    const { state, error } = (await server.get(`/v1/jobs/${jobId}`)) as Job;
    if (state === 'done') return;
    if (state === 'failed' || state === 'cancelled') {
      throw new AppError('inference-not-ready', `The inference ended: ${error?.message ?? state}`);
    }
    await sleep(pauseMs);
    signal.throwIfAborted();
  }
}

function askFor(open: OpenImport): Outcome {
  const structures = open.structures.map(({ number, label, type, laterality, algorithmType }) => {
    const code = type === null ? 'not coded' : `${type.value} ${type.scheme}`;
    return `  ${[number, label, code, ...(laterality === null ? [] : [laterality]), algorithmType].join('  ')}`;
  });
  return {
    json: { open },
    failed: true,
    lines: [
      'Nothing was imported: say first what is what.',
      ...(structures.length > 0
        ? ['Structures that are not known (--segment "<label or number>=<segment>", or --leave-out):', ...structures]
        : []),
      ...(open.missing.length > 0
        ? ['Segments of the model that nothing stands for (--segment, or --absent where the image shows none):']
        : []),
      ...open.missing.map((label) => `  ${label}`),
      `The model has the segments ${open.segments.join(', ')}.`,
    ],
  };
}

function confirm(receipt: Receipt): Outcome {
  const structures = (receipt.imported?.structures ?? []).map(({ number, segment: of, by, algorithmType }) => {
    const what = of === 0 ? 'left out' : `segment ${of}`;
    return `  structure ${number} (${algorithmType || 'of unknown making'}): ${what}, by ${by}`;
  });
  return {
    json: receipt,
    lines: [
      `Correction ${receipt.id}: ${receipt.approvedSlices} slices vouched for, ${receipt.changedVoxels} voxels other than the model's.`,
      ...structures,
      ...receipt.notes.map((note) => `  ${note}`),
      receipt.heldOut
        ? 'The patient is kept apart: it checks the model and never teaches it.'
        : 'Rounds learn from it.',
    ],
  };
}
