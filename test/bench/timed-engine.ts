import type { OpenForeignGraph } from '../../server/src/engine/foreign-graph.ts';
import type { Engine } from '../../server/src/engine/ops.ts';

/** Adds up how long it waited for graphs. */
export interface GraphClock {
  /** So far, ms. */
  readonly ms: number;
  /** An engine whose training steps and runs of a network count. */
  engine(engine: Engine): Engine;
  /** The same for graphs that others made. */
  foreign(open: OpenForeignGraph): OpenForeignGraph;
}

export function graphClock(): GraphClock {
  let ms = 0;
  const timed =
    <Values extends unknown[], Result>(run: (...values: Values) => Promise<Result>) =>
    async (...values: Values): Promise<Result> => {
      const started = performance.now();
      const result = await run(...values);
      ms += performance.now() - started;
      return result;
    };
  return {
    get ms() {
      return ms;
    },
    engine: (engine) => ({
      ...engine,
      async trainer(...parameters) {
        const trainer = await engine.trainer(...parameters);
        return {
          ...trainer,
          step: timed(trainer.step),
          async follower(program) {
            const follower = await trainer.follower(program);
            return { ...follower, run: timed(follower.run) };
          },
        };
      },
      async predictor(...parameters) {
        const predictor = await engine.predictor(...parameters);
        return { ...predictor, run: timed(predictor.run) };
      },
    }),
    foreign:
      (open) =>
      async (...parameters) => {
        const graph = await open(...parameters);
        return {
          inputNames: graph.inputNames,
          outputNames: graph.outputNames,
          run: timed((...values: Parameters<typeof graph.run>) => graph.run(...values)),
          dispose: () => graph.dispose(),
        };
      },
  };
}
