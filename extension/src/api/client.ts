import type { Decision } from '../service/decisions.ts';
import type {
  AcceptedJob,
  Candidate,
  ExclusionList,
  Inference,
  Job,
  MaskList,
  Model,
  ModelList,
  NextCase,
  OpenImport,
  Pool,
  Quality,
  Receipt,
  Round,
  RoundList,
  StartExclusion,
  StartImport,
  StartInference,
  StartNextCase,
  Worklist,
} from './contract.ts';
import { createEventParser } from './event-stream.ts';
import { ProblemError, parseProblem, unreachable } from './problem.ts';

/** Where the server is and how to sign requests. */
export interface ClientSettings {
  /** Root of the API without a final slash, e.g. `/v1`. */
  readonly root: string;
  /** Authorization header of the viewer's session, asked for each request. */
  readonly authorization: () => Readonly<Record<string, string>>;
}

interface RequestParts {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
}

/** The server's `/v1`, one method a route. Every method throws {@link ProblemError}. */
export class UncolClient {
  readonly #settings: ClientSettings;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
  }

  /** Models that fit a series, best first. */
  async listModels(series: { studyInstanceUid: string; seriesInstanceUid: string }): Promise<readonly Model[]> {
    const answer = await this.#json<ModelList>(`/models?${new URLSearchParams(series)}`);
    return answer.models;
  }

  /** Starts an inference; the same `key` never starts a second one. */
  startInference(body: StartInference, key: string): Promise<AcceptedJob> {
    return this.#json('/inferences', postOf(body, { 'idempotency-key': key }));
  }

  getInference(id: string): Promise<Inference> {
    return this.#json(`/inferences/${id}`);
  }

  /** The mask of a finished inference: an envelope of {@link decodeEnvelope}. */
  async getLabelmap(id: string): Promise<Uint8Array> {
    const response = await this.#send(`/inferences/${id}/labelmap`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Where the model was unsure: the same envelope with hundredths in place of labels. */
  async getUncertainty(id: string): Promise<Uint8Array> {
    const response = await this.#send(`/inferences/${id}/uncertainty`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Studies that fit a model, in an order. */
  getWorklist(query: Readonly<Record<string, string | number>>): Promise<Worklist> {
    const text = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]);
    return this.#json(`/worklist?${new URLSearchParams(text)}`);
  }

  /** Takes the next case of a worklist: other readers are not offered it for a while. */
  openNextCase(body: StartNextCase): Promise<NextCase> {
    return this.#json('/next-cases', postOf(body));
  }

  /** Hands in a correction; the same `key` never stores a second SEG. */
  async submitCorrection(envelope: Uint8Array, key: string): Promise<Receipt> {
    return this.#json('/corrections', {
      method: 'POST',
      headers: {
        'content-type': 'application/octet-stream',
        'content-encoding': 'gzip',
        'idempotency-key': key,
      },
      body: await gzip(envelope),
    });
  }

  /** SEGs and RTSTRUCTs of a study. */
  async listMasks(studyInstanceUid: string): Promise<MaskList['masks']> {
    const answer = await this.#json<MaskList>(`/masks?${new URLSearchParams({ studyInstanceUid })}`);
    return answer.masks;
  }

  /** Hands in a mask of the PACS, or learns what has to be said first. */
  importMask(body: StartImport, key: string): Promise<Receipt | OpenImport> {
    return this.#json('/imports', postOf(body, { 'idempotency-key': key }));
  }

  /** The receipt as it stands now. */
  getCorrection(id: string): Promise<Receipt> {
    return this.#json(`/corrections/${id}`);
  }

  /** Takes a submission back. */
  withdraw(id: string, reason: string): Promise<Receipt> {
    return this.#json(`/corrections/${id}/withdrawal`, postOf({ reason }));
  }

  getPool(model: string): Promise<Pool> {
    return this.#json(`/pool?${new URLSearchParams({ model })}`);
  }

  getQuality(model: string): Promise<Quality> {
    return this.#json(`/quality?${new URLSearchParams({ model })}`);
  }

  /** Rounds of one model, newest first, so many at most. */
  async listRounds(model: string, limit: number): Promise<readonly Round[]> {
    const query = new URLSearchParams({ model, limit: String(limit) });
    const answer = await this.#json<RoundList>(`/rounds?${query}`);
    return answer.rounds;
  }

  /** What a round made or tried to make. */
  getCandidate(roundId: string): Promise<Candidate> {
    return this.#json(`/candidates/${roundId}`);
  }

  /** The slice of a subject on which a candidate did worst. */
  async getPicture(roundId: string, subject: string): Promise<Blob> {
    const response = await this.#send(`/rounds/${roundId}/pictures/${subject}`);
    return response.blob();
  }

  /** Every version of every model. */
  async listVersions(): Promise<readonly Model[]> {
    const answer = await this.#json<ModelList>('/models');
    return answer.models;
  }

  getRound(id: string): Promise<Round> {
    return this.#json(`/rounds/${id}`);
  }

  /** Carries out what an administrator decided about a model. */
  async decide(model: string, decision: Decision, reason: string): Promise<void> {
    const post = (path: string, body: object) => this.#send(path, postOf(body));
    const release = (path: string) => this.#send(`${path}?${new URLSearchParams({ model })}`, { method: 'DELETE' });
    switch (decision.kind) {
      case 'promote':
        await post('/promotions', { name: model, version: decision.version, reason });
        return;
      case 'refuse':
        await post(`/candidates/${decision.roundId}/refusal`, { reason });
        return;
      case 'roll-back':
        await post('/rollbacks', { model, reason });
        return;
      case 'pin':
        await post('/pins', { model, reason });
        return;
      case 'pause':
        await post('/pauses', { model, reason });
        return;
      case 'unpin':
        await release('/pins');
        return;
      case 'resume':
        await release('/pauses');
    }
  }

  /** Series that rounds of a model leave alone. */
  async listExclusions(model: string): Promise<ExclusionList['exclusions']> {
    const answer = await this.#json<ExclusionList>(`/exclusions?${new URLSearchParams({ model })}`);
    return answer.exclusions;
  }

  /** Lets rounds of a model leave a series alone. */
  async exclude(body: StartExclusion): Promise<void> {
    await this.#send('/exclusions', postOf(body));
  }

  /** Lets rounds of a model learn from a series again, or from a volume of it. */
  async include(
    model: string,
    { seriesInstanceUid, volume }: { readonly seriesInstanceUid: string; readonly volume: string | null },
  ): Promise<void> {
    const query = new URLSearchParams({ model, seriesInstanceUid, ...(volume === null ? {} : { volume }) });
    await this.#send(`/exclusions?${query}`, { method: 'DELETE' });
  }

  getJob(id: string): Promise<Job> {
    return this.#json(`/jobs/${id}`);
  }

  async cancelJob(id: string): Promise<void> {
    await this.#send(`/jobs/${id}`, { method: 'DELETE' });
  }

  /** The job as it goes on, until the server ends the stream. */
  async *streamJob(id: string, signal: AbortSignal): AsyncGenerator<Job> {
    const response = await this.#send(`/jobs/${id}/events`, { headers: { accept: 'text/event-stream' }, signal });
    if (response.body === null) return;
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parse = createEventParser();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        for (const event of parse(decoder.decode(value, { stream: true }))) {
          if (event.event === 'job') yield JSON.parse(event.data) as Job;
        }
      }
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }

  async #json<T>(path: string, parts: RequestParts = {}): Promise<T> {
    const response = await this.#send(path, parts);
    // An answer that breaks off after its beginning is as good as none.
    const text = await response.text().catch((cause: unknown) => {
      throw new ProblemError(unreachable, { cause });
    });
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new ProblemError(parseProblem(response.status, text), { cause });
    }
  }

  async #send(path: string, parts: RequestParts = {}): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${this.#settings.root}${path}`, {
        ...parts,
        headers: { accept: 'application/json', ...this.#settings.authorization(), ...parts.headers },
      });
    } catch (cause) {
      if (parts.signal?.aborted) throw cause;
      throw new ProblemError(unreachable, { cause });
    }
    // The status is known, even where a proxy cuts off what it says to it.
    if (!response.ok) throw new ProblemError(parseProblem(response.status, await response.text().catch(() => '')));
    return response;
  }
}

/** A POST of JSON. */
function postOf(body: object, headers: RequestParts['headers'] = {}): RequestParts {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  };
}

async function gzip(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
