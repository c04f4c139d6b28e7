// `fuzz-child.ts TARGET SEED CASES GROWING`: one target in a process of its own. It tells each hundredth case, and in the end the result.
import { fuzz } from './fuzz.ts';

const [target = '', seed = '1', cases = '1000', growing = '0'] = process.argv.slice(2);
const onCase = (n: number) => {
  if (n % 100 === 0) process.send?.({ at: n });
};
const result = await fuzz(target, Number(seed), Number(cases), { onCase, growing: Number(growing) });
process.send?.({ result }, () => process.exit(0));
