import type { Engine } from '../../../server/src/engine/ops.ts';
import { tfjsCandidates } from '../../../server/src/engine/tfjs/load.ts';

/** The tfjs reading on a device that is always there. */
export async function openTfjs(device: 'wasm' | 'cpu'): Promise<Engine> {
  const candidate = tfjsCandidates.find((each) => each.device === device)!;
  return (await candidate.open({ threads: 1 })).engine;
}

/** Both of them. */
export const tfjsEngines: readonly Engine[] = [await openTfjs('cpu'), await openTfjs('wasm')];
