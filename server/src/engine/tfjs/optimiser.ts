import * as tf from '@tensorflow/tfjs-core';
import type { Optimiser } from '../ops.ts';

/** What an update changes: flat vectors on the device. */
export interface DeviceState {
  readonly student: tf.Tensor1D;
  readonly ema: tf.Tensor1D;
  readonly firstMoment: tf.Tensor1D;
  readonly secondMoment: tf.Tensor1D;
}

/**
 * The next state; what the optimiser does not change is handed on. Called inside `tf.tidy`.
 *
 * @param rates as `ratesOf` orders them.
 */
export function updated(
  optimiser: Optimiser,
  state: DeviceState,
  gradient: tf.Tensor1D,
  rates: ArrayLike<number>,
): DeviceState {
  const moved = optimiser.kind === 'sgd' ? descended(optimiser) : adapted(optimiser);
  const ema: tf.Tensor1D = tf.add(tf.mul(state.ema, rates[3]!), tf.mul(moved.student, rates[4]!));
  return { ...state, ...moved, ema };

  function descended({ momentum, weightDecay }: Optimiser & { kind: 'sgd' }) {
    const decayed = weightDecay === 0 ? gradient : tf.add(gradient, tf.mul(state.student, weightDecay));
    const firstMoment: tf.Tensor1D = tf.add(tf.mul(state.firstMoment, momentum), decayed);
    const student: tf.Tensor1D = tf.sub(state.student, tf.mul(firstMoment, rates[0]!));
    return { student, firstMoment };
  }

  function adapted({ beta1, beta2 }: Optimiser & { kind: 'adamw' }) {
    const firstMoment: tf.Tensor1D = tf.add(tf.mul(state.firstMoment, beta1), tf.mul(gradient, 1 - beta1));
    const squared = tf.mul(tf.square(gradient), 1 - beta2);
    const secondMoment: tf.Tensor1D = tf.add(tf.mul(state.secondMoment, beta2), squared);
    const move = tf.div(tf.mul(firstMoment, rates[0]!), tf.add(tf.sqrt(secondMoment), rates[2]!));
    const student: tf.Tensor1D = tf.sub(tf.mul(state.student, rates[1]!), move);
    return { student, firstMoment, secondMoment };
  }
}
