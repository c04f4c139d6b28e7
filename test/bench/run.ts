// `npm run bench [-- NAME…]`: measures what is named (everything without a name) and writes NAME.json, NAME.md and its charts here.
// `npm run bench -- --render` writes NAME.md and charts again from the NAME.json, without measuring.
import { benches } from './benches.ts';
import { hasRecord, measure, readRecord, writeReport } from './record.ts';

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((argument) => !argument.startsWith('-'));
  const unknown = names.filter((name) => !benches.some((bench) => bench.name === name));
  if (unknown.length > 0) {
    const known = benches.map((bench) => bench.name).join(', ');
    process.stderr.write(`There is no bench ${unknown.join(', ')}; there is ${known}.\n`);
    return 2;
  }
  const chosen = benches.filter((bench) => names.length === 0 || names.includes(bench.name));
  for (const bench of chosen) {
    if (args.includes('--render')) {
      if (!hasRecord(bench.name)) continue;
      await writeReport(bench, readRecord(bench.name));
      continue;
    }
    process.stderr.write(`${bench.title}\n`);
    const { rows } = await measure(bench, (line) => process.stderr.write(`  ${line}\n`));
    process.stdout.write(`${bench.report(rows)}\n\n`);
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
