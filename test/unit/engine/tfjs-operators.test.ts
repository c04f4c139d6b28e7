import { describe } from 'node:test';
import { testGradients, testValues } from './contract.ts';
import { tfjsEngines } from './tfjs-engines.ts';

for (const engine of tfjsEngines) {
  describe(`tfjs reading on ${engine.device}`, () => {
    testValues(engine);
    testGradients(engine);
  });
}
