import type { TrainEvent } from '../round/train.ts';

/**
 * A listener that writes one line for each event of a training.
 *
 * @param now milliseconds of a clock that never goes back.
 */
export function progressLines(
  write: (line: string) => void,
  now: () => number = () => performance.now(),
): (event: TrainEvent) => void {
  let first: { readonly step: number; readonly at: number } | undefined;
  return (event) => {
    switch (event.kind) {
      case 'note':
        return write(event.text);
      case 'data':
        return write(`data ${event.split}: ${event.done} of ${event.all}`);
      case 'validation':
        return write(`validation at ${event.step}: Dice ${event.student.toFixed(4)}, EMA ${event.ema.toFixed(4)}`);
      case 'test':
        return write(`test ${event.subject}: Dice ${event.dice.toFixed(4)}`);
      case 'step': {
        const at = now();
        first ??= { step: event.step, at };
        const done = event.step - first.step;
        // Validations count too: they come again, as the steps do.
        const left = done > 0 ? `, ${timeLeft(((at - first.at) / done) * (event.steps - event.step))} left` : '';
        return write(`step ${event.step} of ${event.steps}: loss ${event.loss.toFixed(4)}${left}`);
      }
    }
  };
}

/** A duration in the coarsest unit that still says something: `40 s`, `12 min`, `3 h 5 min`. */
export function timeLeft(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
