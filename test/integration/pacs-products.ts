import type { Fault, FaultPlan } from './fault-proxy.ts';

/** PACS products as their documents describe them (server/docs/pacs.md), each played by a relay before Orthanc. */

const badRequest: Fault = { kind: 'answer', status: 400 };
const notFound: Fault = { kind: 'answer', status: 404 };
const nothing: Fault = { kind: 'answer', status: 200, contentType: 'application/dicom+json', body: '[]' };

/** Tags of an instance that Azure answers unasked, and UIDs of the address. */
const azureInstance = ['00080018', '0020000D', '0020000E', '00080060'];
const azureSeries = ['00080060', '00081090', '0020000E', '00400244', '0020000D', '00080020', '00100020'];

/** Azure DICOM service: 1 to 200 rows, exact matching, few tags unasked, no object twice. */
export function azure(): FaultPlan {
  let stores = 0;
  return (method, path) => {
    // The first store comes through, and its answer does not.
    if (method === 'POST') return stores++ === 0 ? { kind: 'reset', afterBytes: 0 } : undefined;
    const query = queryOf(path);
    if (Number(query.get('limit') ?? 1) > 200) return badRequest;
    if (hasWildcard(query)) return nothing;
    if (/\/instances\?/.test(path)) return onlyTags([...azureInstance, ...fieldsOf(query)]);
    if (/\/series\?/.test(path)) return onlyTags([...azureSeries, ...fieldsOf(query)]);
    return undefined;
  };
}

/** Its answer to an object that it holds (FailureReason 45070). */
export function azureConflict(sopInstanceUid: string, failureReason = 45070): Fault {
  const item = { '00081155': { vr: 'UI', Value: [sopInstanceUid] }, '00081197': { vr: 'US', Value: [failureReason] } };
  const body = JSON.stringify({ '00081198': { vr: 'SQ', Value: [item] } });
  return { kind: 'answer', status: 409, contentType: 'application/dicom+json', body };
}

/** Google Cloud Healthcare API: exact matching, 5000 rows, 100 of itself, 400 to a field that it does not know. */
export function google(knownFields: readonly string[]): FaultPlan {
  return (method, path) => {
    const query = queryOf(path);
    if (method !== 'GET' || !path.includes('?')) return undefined;
    if (Number(query.get('limit') ?? 100) > 5000) return badRequest;
    if (!fieldsOf(query).every((field) => knownFields.includes(field))) return badRequest;
    return hasWildcard(query) ? nothing : undefined;
  };
}

/** AWS HealthImaging: series in a known study only, instances one by one, each as one file. */
export const aws: FaultPlan = (method, path, _number, headers) => {
  if (method !== 'GET') return undefined;
  const [resource = ''] = path.split('?');
  if (resource.endsWith('/dicom-web/series') || /\/series\/[0-9.]+$/.test(resource)) return notFound;
  if (!/\/instances\/[0-9.]+$/.test(resource)) return undefined;
  if (!/^application\/dicom(;|$)/.test(headers.accept ?? '')) return { kind: 'answer', status: 406 };
  return { kind: 'body', accept: 'multipart/related; type="application/dicom"; transfer-syntax=*', change: unwrap };
};

function queryOf(path: string): URLSearchParams {
  return new URL(path, 'http://pacs').searchParams;
}

function hasWildcard(query: URLSearchParams): boolean {
  return [...query].some(([, value]) => /[*?]/.test(value));
}

function fieldsOf(query: URLSearchParams): readonly string[] {
  return query.getAll('includefield').flatMap((field) => field.split(','));
}

function onlyTags(tags: readonly string[]): Fault {
  return {
    kind: 'body',
    change: (body, contentType) => {
      const rows = JSON.parse(body.toString('utf8')) as readonly Readonly<Record<string, unknown>>[];
      const kept = rows.map((row) => Object.fromEntries(Object.entries(row).filter(([tag]) => tags.includes(tag))));
      return { body: Buffer.from(JSON.stringify(kept)), contentType };
    },
  };
}

/** The one part of a multipart body. */
function unwrap(body: Buffer, contentType: string): { readonly body: Uint8Array; readonly contentType: string } {
  const boundary = /boundary=([^\s;"]+)/.exec(contentType)?.[1] ?? '';
  const start = body.indexOf('\r\n\r\n') + 4;
  return { body: body.subarray(start, body.lastIndexOf(`\r\n--${boundary}--`)), contentType: 'application/dicom' };
}
