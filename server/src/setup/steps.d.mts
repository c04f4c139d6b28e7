/** Tells how far a step is: share done 0..1, or null while unknown, and a few words. */
export type Progress = (share: number | null, note?: string) => void;

/** The display of `npm start`: one line a step, with percent and seconds. */
export interface Steps {
  /** Runs `work` as the step `title` and answers what it answers; a failed step is marked and its error passed on. */
  run<T>(title: string, work: (progress: Progress) => Promise<T>): Promise<T>;
}

/** Steps on `out` (stderr when left out): a moving line on a terminal, plain lines every few seconds elsewhere. */
export function createSteps(out?: NodeJS.WriteStream): Steps;
