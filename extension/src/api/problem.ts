/** What went wrong and what to do, in words for the reader. */
export interface UserProblem {
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly hint: string;
}

/** A fault that the panel can show. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: UserProblem;

  constructor(problem: UserProblem, options: { cause?: unknown } = {}) {
    super(`${problem.title}: ${problem.detail}`, options);
    this.problem = problem;
  }
}

/**
 * The problem in an answer of the server.
 *
 * @param status HTTP status.
 * @param body Text of the answer: problem+json, or anything a proxy on the way may have put in its place.
 */
export function parseProblem(status: number, body: string): UserProblem {
  const record = parseRecord(body);
  if (record !== null && typeof record['title'] === 'string') {
    return {
      code: text(record['code'], 'unknown'),
      title: record['title'],
      detail: text(record['detail'], `The server answered ${status}.`),
      hint: text(record['hint'], 'Try again.'),
    };
  }
  if (status === 401 || status === 403) {
    return {
      code: 'not-authenticated',
      title: 'Not signed in',
      detail: `The server answered ${status}.`,
      hint: 'Sign in again in the viewer and retry.',
    };
  }
  if (status === 413) {
    return {
      code: 'request-too-large',
      title: 'Too large for the way to the server',
      detail: 'A proxy before the server took no more of what was sent (413).',
      hint: 'Your edits are kept. The administrator has to raise its limit (nginx: client_max_body_size); then try again.',
    };
  }
  return {
    code: 'answer-invalid',
    title: 'The server could not answer',
    detail: `It answered ${status} without saying why.`,
    hint: 'Try again in a minute; if it stays, tell the administrator.',
  };
}

/** Any thrown value as something to show; what is unknown becomes a plain sentence with its message. */
export function toUserProblem(error: unknown): UserProblem {
  if (error instanceof ProblemError) return error.problem;
  return {
    code: 'viewer-fault',
    title: 'The viewer could not finish this step',
    detail: error instanceof Error ? error.message : String(error),
    hint: 'Try again; reload the page if it stays. Unsubmitted edits are lost by a reload.',
  };
}

/** The problem shown when no answer came at all. */
export const unreachable: UserProblem = {
  code: 'server-unreachable',
  title: 'The UnCoL server does not answer',
  detail: 'The connection failed.',
  hint: 'Check the network and that the server runs, then try again. Your edits are kept.',
};

function parseRecord(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}
