import type { EngineCandidate, OpenedEngine } from './candidate.ts';
import { type Choice, chooseEngine, describeChoice } from './choose.ts';
import { onnxCandidates } from './onnx/candidates.ts';
import type { Engine } from './ops.ts';

/**
 * Every engine in the order of choice: what trains fastest where it is there comes first, and the last one is always
 * there. Readings on other libraries stand before or after the onnx ones by that rule.
 */
export const engineCandidates: readonly EngineCandidate[] = [...onnxCandidates];

/** {@link chooseEngine} among all. Loads the runtimes, so it belongs in a child process or a command. */
export function openEngine(wanted: string, options: { readonly threads: number }): Promise<Choice<OpenedEngine>> {
  return chooseEngine(wanted, engineCandidates, options);
}

/** {@link openEngine} at the first call, the same engine ever after; after a refusal it is tried again; `say` gets the choice in one line. */
export function openOnce(
  wanted: string,
  options: { readonly threads: number },
  say: (choice: string) => void,
): () => Promise<Engine> {
  let opening: Promise<Engine> | undefined;
  const open = async (): Promise<Engine> => {
    const choice = await openEngine(wanted, options);
    say(`Engine ${describeChoice(choice)}`);
    return choice.opened.engine;
  };
  return () => {
    opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
}
