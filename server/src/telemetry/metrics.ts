import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const seconds = [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

/**
 * The one table of metrics. Base units (seconds, bytes); labels take values from closed sets only, so that neither
 * cardinality nor patient data can grow in them.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    httpSeconds: new Histogram({
      name: 'uncol_http_seconds',
      help: 'Time to the end of a reply, by route pattern and status class.',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: seconds,
      registers,
    }),
    inferenceSeconds: new Histogram({
      name: 'uncol_inference_seconds',
      help: 'Time of each stage of an inference.',
      labelNames: ['stage'] as const,
      buckets: seconds,
      registers,
    }),
    exportSeconds: new Histogram({
      name: 'uncol_export_seconds',
      help: 'Time of each stage of the storing of a correction: retrieve, write, store.',
      labelNames: ['stage'] as const,
      buckets: seconds,
      registers,
    }),
    jobsTotal: new Counter({
      name: 'uncol_jobs_total',
      help: 'Jobs that reached an end, by kind and state.',
      labelNames: ['kind', 'state'] as const,
      registers,
    }),
    childrenLostTotal: new Counter({
      name: 'uncol_children_lost_total',
      help: 'Worker processes that ended in the middle of a task.',
      labelNames: ['kind'] as const,
      registers,
    }),
    childrenRunning: new Gauge({
      name: 'uncol_children_running',
      help: 'Worker processes alive.',
      labelNames: ['kind'] as const,
      registers,
    }),
    correctionsTotal: new Counter({
      name: 'uncol_corrections_total',
      help: 'Corrections accepted, by kind.',
      labelNames: ['kind'] as const,
      registers,
    }),
    roundLoss: new Gauge({
      name: 'uncol_round_loss',
      help: 'Last value of the loss, its terms and the trust rates of the running round.',
      labelNames: ['term'] as const,
      registers,
    }),
    embeddingsTotal: new Counter({
      name: 'uncol_embeddings_total',
      help: 'Encodings that rounds asked the cache of the generalized teacher for, by whether it had them.',
      labelNames: ['result'] as const,
      registers,
    }),
    keptVolumesTotal: new Counter({
      name: 'uncol_kept_volumes_total',
      help: 'Uncorrected series that rounds asked for, by whether an earlier round had kept them.',
      labelNames: ['result'] as const,
      registers,
    }),
    pacsRequestsTotal: new Counter({
      name: 'uncol_pacs_requests_total',
      help: 'Requests to the PACS, by part of the server: viewer (OHIF through us), server, infer, train.',
      labelNames: ['part'] as const,
      registers,
    }),
    pacsBytesTotal: new Counter({
      name: 'uncol_pacs_bytes_total',
      help: 'Bytes of bodies that came from the PACS (received) and went to it (sent), by part of the server.',
      labelNames: ['part', 'direction'] as const,
      registers,
    }),
    gateVerdictTotal: new Counter({
      name: 'uncol_gate_verdict_total',
      help: 'Verdicts of the promotion gate.',
      labelNames: ['verdict'] as const,
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
