import type { Engine } from '../engine/ops.ts';

/**
 * An engine that awaits `whenFree` before each training step and each run of a network: training gives way to an
 * inference within one step, without losing anything.
 */
export function yieldingEngine(engine: Engine, whenFree: () => Promise<void>): Engine {
  return {
    ...engine,
    async trainer(...parameters) {
      const trainer = await engine.trainer(...parameters);
      return {
        table: trainer.table,
        step: (...values) => whenFree().then(() => trainer.step(...values)),
        state: () => trainer.state(),
        async follower(program) {
          const follower = await trainer.follower(program);
          return {
            run: (inputs) => whenFree().then(() => follower.run(inputs)),
            dispose: () => follower.dispose(),
          };
        },
        load: (state) => trainer.load(state),
        dispose: () => trainer.dispose(),
      };
    },
    async predictor(...parameters) {
      const predictor = await engine.predictor(...parameters);
      return {
        table: predictor.table,
        run: (...values) => whenFree().then(() => predictor.run(...values)),
        dispose: () => predictor.dispose(),
      };
    },
  };
}
