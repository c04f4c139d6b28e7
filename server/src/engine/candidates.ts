import type { EngineCandidate, OpenedEngine } from './candidate.ts';
import { type Choice, chooseEngine } from './choose.ts';
import { onnxCandidates } from './onnx/candidates.ts';

/**
 * Every engine in the order of choice: what trains fastest where it is there comes first, and the last one is always
 * there. Readings on other libraries stand before or after the onnx ones by that rule.
 */
export const engineCandidates: readonly EngineCandidate[] = [...onnxCandidates];

/** {@link chooseEngine} among all. Loads the runtimes, so it belongs in a child process or a command. */
export function openEngine(wanted: string, options: { readonly threads: number }): Promise<Choice<OpenedEngine>> {
  return chooseEngine(wanted, engineCandidates, options);
}
