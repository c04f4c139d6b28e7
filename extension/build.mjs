/** Bundles the extension and its mode as ES modules that an unmodified OHIF imports at run time. */
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, 'dist');

await rm(outdir, { recursive: true, force: true });
await build({
  entryPoints: [join(here, 'src/extension.tsx'), join(here, 'src/mode.ts')],
  outdir,
  bundle: true,
  format: 'esm',
  splitting: true,
  target: 'es2022',
  minify: true,
  sourcemap: 'linked',
  jsx: 'automatic',
  loader: { '.css': 'text' },
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
});
process.stderr.write(`Extension built in ${outdir}\n`);
