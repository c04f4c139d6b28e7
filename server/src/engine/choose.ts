import { AppError } from '../errors/app-error.ts';
import type { EngineCandidate, OpenedEngine } from './candidate.ts';

/** A candidate that was not taken, and why, in one line. */
export interface PassedOver {
  readonly name: string;
  readonly reason: string;
}

/** The engine that runs, and those that come before it in the order of choice. */
export interface Choice<Opened> {
  readonly name: string;
  readonly opened: Opened;
  readonly passedOver: readonly PassedOver[];
}

/** {@link EngineCandidate}, opened here or tried elsewhere. */
export interface Openable<Opened> extends Pick<EngineCandidate, 'reading' | 'device'> {
  open(options: { readonly threads: number }): Promise<Opened>;
}

/** The name of an engine in settings, log and model card, e.g. `onnx-cpu`. */
export function engineName({ reading, device }: Pick<EngineCandidate, 'reading' | 'device'>): string {
  return `${reading}-${device}`;
}

/**
 * The first of `candidates` that opens and that no CPU emulates; or, by name, the one that is wanted, emulated or not.
 *
 * @param wanted `auto` or a name as {@link engineName} gives it.
 * @throws AppError `engine-unavailable`, saying why: a wanted one does not open, there is none of that name, or none of
 *   all opens.
 */
export async function chooseEngine<Opened extends Pick<OpenedEngine, 'isSoftware'> = OpenedEngine>(
  wanted: string,
  candidates: readonly Openable<Opened>[],
  options: { readonly threads: number },
): Promise<Choice<Opened>> {
  const considered = wanted === 'auto' ? candidates : candidates.filter((one) => engineName(one) === wanted);
  if (considered.length === 0) {
    const known = candidates.map(engineName).join(', ');
    throw new AppError('engine-unavailable', `There is no engine "${wanted}"; there are ${known} and auto.`);
  }
  const passedOver: PassedOver[] = [];
  for (const one of considered) {
    const name = engineName(one);
    try {
      const opened = await one.open(options);
      if (wanted !== 'auto' || !opened.isSoftware) return { name, opened, passedOver };
      passedOver.push({ name, reason: 'its device is emulated by the CPU' });
    } catch (error) {
      passedOver.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  throw new AppError('engine-unavailable', `${describePassedOver(passedOver)}.`);
}

/** For log and terminal: `onnx-cpu; passed over: onnx-cuda (why), onnx-webgpu (why)`. */
export function describeChoice({ name, passedOver }: Omit<Choice<unknown>, 'opened'>): string {
  return passedOver.length === 0 ? name : `${name}; passed over: ${describePassedOver(passedOver)}`;
}

function describePassedOver(passedOver: readonly PassedOver[]): string {
  return passedOver.map(({ name, reason }) => `${name} (${reason})`).join(', ');
}
