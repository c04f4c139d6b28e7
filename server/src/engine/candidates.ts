import type { EngineCandidate, OpenedEngine } from './candidate.ts';
import { type Choice, chooseEngine, describeChoice } from './choose.ts';
import { onnxCandidates } from './onnx/candidates.ts';
import type { Engine } from './ops.ts';

/**
 * Every engine in the order of choice: what trains fastest where it is there comes first. onnx-cpu is always there, so
 * those behind it run only when they are asked for by name.
 */
export const engineCandidates: readonly EngineCandidate[] = [
  tfjsCandidate('cuda', '@tensorflow/tfjs-node-gpu'),
  ...onnxCandidates,
  tfjsCandidate('tensorflow', '@tensorflow/tfjs-node'),
  tfjsCandidate('webgpu', 'webgpu'),
  tfjsCandidate('wasm', '@tensorflow/tfjs-backend-wasm'),
  tfjsCandidate('cpu', '@tensorflow/tfjs-backend-cpu'),
];

/** The library is loaded only where the package that a device needs is installed: a process that uses another is spared. */
function tfjsCandidate(device: string, needed: string): EngineCandidate {
  return {
    reading: 'tfjs',
    device,
    async open(options) {
      if (!isInstalled(needed)) throw new Error(`the npm package ${needed} is not installed`);
      const { tfjsCandidates } = await import('./tfjs/load.ts');
      const found = tfjsCandidates.find((one) => one.device === device);
      if (!found) throw new RangeError(`there is no tfjs device ${device}`);
      return found.open(options);
    },
  };
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

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
