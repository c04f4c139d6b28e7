import { describe } from 'node:test';
import { testGradients, testValues } from './contract.ts';
import { engine } from './finite-differences.ts';

describe('onnx reading', () => {
  testValues(engine);
  testGradients(engine);
});
