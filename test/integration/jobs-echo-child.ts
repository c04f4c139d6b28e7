/** Child of jobs-children.test.ts: does what its task says. */
import { AppError } from '../../server/src/errors/app-error.ts';
import { serveTasks } from '../../server/src/jobs/child-side.ts';

type Task = 'echo' | 'die' | 'hang' | 'refuse' | 'break' | 'count' | 'note';

serveTasks<{ word: string }, Task, string, unknown>((setUp, note) => async (task, report, whenFree) => {
  report(`began ${task}`);
  if (task === 'note') note('Engine onnx-cpu');
  if (task === 'die') process.exit(7);
  if (task === 'hang') await new Promise(() => setInterval(() => undefined, 1000));
  if (task === 'refuse') throw new AppError('series-no-contrast', 'All voxels are 0.', { voxels: 8 });
  if (task === 'break') throw new Error('text that may quote a patient');
  if (task === 'count') {
    for (let step = 1; step <= 5; step += 1) {
      await whenFree();
      report(`step ${step}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  const secrets = Object.keys(process.env).filter((name) => name === 'DATABASE_URL' || name.startsWith('UNCOL_'));
  return { word: setUp.word, pid: process.pid, secrets };
});
