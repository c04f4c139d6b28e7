import { describe } from 'node:test';
import { engine } from './finite-differences.ts';
import { testPredictor } from './predictor-contract.ts';
import { testResuming, testTrainer } from './trainer-contract.ts';

describe('onnx reading', () => {
  testPredictor(engine);
  testTrainer(engine);
  testResuming(engine, 20);
});
