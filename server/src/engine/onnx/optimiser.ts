import type { Optimiser } from '../ops.ts';
import type { Graph, Value } from './graph.ts';

/** What an update reads; vectors of one length, rates are scalars fed at each step. */
export interface UpdateInputs {
  readonly student: Value;
  readonly ema: Value;
  readonly firstMoment: Value;
  readonly secondMoment: Value;
  readonly gradient: Value;
  readonly rates: Value;
}

export interface UpdateOutputs {
  readonly student: Value;
  readonly ema: Value;
  readonly firstMoment: Value;
  /** Absent where the optimiser keeps none. */
  readonly secondMoment?: Value;
}

/** Nodes that turn one state into the next. */
export function writeUpdate(graph: Graph, optimiser: Optimiser, inputs: UpdateInputs): UpdateOutputs {
  const rate = (index: number): Value => {
    const bounds = [graph.integers([index]), graph.integers([index + 1]), graph.integers([0])];
    return graph.emit('Slice', [inputs.rates, ...bounds], [1]);
  };
  const { add, sub, mul, div, sqrt } = vectorWriters(graph);
  const updated = optimiser.kind === 'sgd' ? descend(optimiser) : adapt(optimiser);
  const ema = add(mul(inputs.ema, rate(3)), mul(updated.student, rate(4)));
  return { ...updated, ema };

  function descend({ momentum, weightDecay }: Optimiser & { kind: 'sgd' }) {
    const decayed =
      weightDecay === 0 ? inputs.gradient : add(inputs.gradient, mul(inputs.student, graph.scalar(weightDecay)));
    const firstMoment = add(mul(inputs.firstMoment, graph.scalar(momentum)), decayed);
    return { student: sub(inputs.student, mul(firstMoment, rate(0))), firstMoment };
  }

  function adapt({ beta1, beta2 }: Optimiser & { kind: 'adamw' }) {
    const { gradient } = inputs;
    const firstMoment = add(mul(inputs.firstMoment, graph.scalar(beta1)), mul(gradient, graph.scalar(1 - beta1)));
    const squared = mul(mul(gradient, gradient), graph.scalar(1 - beta2));
    const secondMoment = add(mul(inputs.secondMoment, graph.scalar(beta2)), squared);
    const move = div(mul(firstMoment, rate(0)), add(sqrt(secondMoment), rate(2)));
    return { student: sub(mul(inputs.student, rate(1)), move), firstMoment, secondMoment };
  }
}

function vectorWriters(graph: Graph) {
  const binary = (operator: string) => (a: Value, b: Value) => graph.emit(operator, [a, b], a.shape);
  return {
    add: binary('Add'),
    sub: binary('Sub'),
    mul: binary('Mul'),
    div: binary('Div'),
    sqrt: (x: Value) => graph.emit('Sqrt', [x], x.shape),
  };
}
