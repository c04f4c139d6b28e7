import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Low to high, which is also the order in which to read the code. A folder imports only from itself and from lower ones. */
const layers = [
  ...['errors', 'config', 'telemetry', 'setup', 'engine', 'volume', 'labelmap', 'study', 'seg', 'rtstruct', 'sr'],
  ...['sample', 'student', 'uncol', 'store', 'registry', 'correction', 'candidate', 'round'],
  ...['promotion', 'worklist', 'jobs', 'http', 'main', 'cli'],
];

/** Packages that only these files know; a trailing slash means a folder. */
const onlyHere: Readonly<Record<string, readonly string[]>> = {
  'dicomweb-client': ['study/dicomweb.ts'],
  dcmjs: ['seg/', 'sample/', 'study/pixel-data'],
  'dcmjs-codecs': ['study/pixel-data', 'study/frame-decoder.ts', 'sample/'],
  'onnxruntime-node': ['engine/onnx/session.ts', 'engine/onnx/lane-worker.mjs'],
  '@cornerstonejs/codec-charls': ['study/jpeg-ls.mjs'],
  '@tensorflow/tfjs-core': ['engine/tfjs/'],
  '@tensorflow/tfjs-backend-wasm': ['engine/tfjs/load.ts'],
  '@tensorflow/tfjs-backend-cpu': ['engine/tfjs/load.ts'],
  pg: ['store/'],
  'pg-boss': ['jobs/queue.ts'],
  express: ['http/', 'compose.ts'],
  compression: ['http/viewer.ts'],
  helmet: ['http/guard.ts'],
  jose: ['http/auth.ts'],
  pino: ['telemetry/log.ts'],
  'prom-client': ['telemetry/metrics.ts', 'http/routes/health.ts'],
  commander: ['cli/index.ts'],
  vega: ['round/report/'],
  undici: ['study/', 'http/dicomweb-proxy.ts', 'setup/'],
};

/** No input or output: arrays and numbers only. */
const pure = [
  ...['volume/', 'labelmap/', 'uncol/', 'round/policy.ts', 'promotion/gate.ts', 'promotion/quality.ts'],
  'worklist/orders.ts',
];
const inputOutput =
  /^node:(fs|net|http|https|child_process|os|worker_threads|dns|tls|dgram|timers)|^(pg|undici|express|pg-boss)$/;

const source = fileURLToPath(new URL('../../server/src/', import.meta.url));
const filesBelow = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(tsx?|mjs)$/.test(name))
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
const files = filesBelow(source);
const others = ['../', '../../extension/src/'].flatMap((path) =>
  filesBelow(fileURLToPath(new URL(path, import.meta.url))),
);

const importsOf = (text: string): string[] =>
  [...text.matchAll(/(?:from\s+|import\s*\(?\s*)'([^']+)'/g)].map(([, specifier]) => specifier ?? '');
const isType = (text: string, specifier: string): boolean =>
  new RegExp(`import type [^;]*from '${specifier.replace(/[.*+?^$()|[\]\\/]/g, '\\$&')}'`).test(text);
const layerOf = (name: string): number => {
  const folder = name.includes('/') ? (name.split('/')[0] ?? '') : 'main';
  const layer = layers.indexOf(folder);
  assert.notEqual(layer, -1, `${name} lies in no known folder`);
  return layer;
};
const resolveImport = (from: string, specifier: string): string =>
  relative(source, join(source, dirname(from), specifier));
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
const isIn = (name: string, places: readonly string[]): boolean => places.some((place) => name.startsWith(place));

describe('architecture', () => {
  it('finds the sources', () => {
    assert.ok(files.length > 50, `only ${files.length} files`);
  });

  it('lower folders never import higher ones', () => {
    const wrong = files.flatMap(({ name, text }) =>
      importsOf(text)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => resolveImport(name, specifier))
        .filter((target) => !target.startsWith('..') && layerOf(target) > layerOf(name))
        .map((target) => `${name} (layer ${layerOf(name)}) imports ${target} (layer ${layerOf(target)})`),
    );
    assert.deepEqual(wrong, []);
  });

  it('each package is known to its own files only', () => {
    const wrong = files.flatMap(({ name, text }) =>
      importsOf(text)
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
        .filter((specifier) => {
          const places = onlyHere[packageOf(specifier)];
          return places !== undefined && !isIn(name, places);
        })
        .map((specifier) => `${name} imports ${specifier}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('the pure folders do no input or output', () => {
    const wrong = files
      .filter(({ name }) => isIn(name, pure))
      .flatMap(({ name, text }) =>
        importsOf(text)
          .filter((specifier) => inputOutput.test(specifier))
          .map((specifier) => `${name} imports ${specifier}`),
      );
    assert.deepEqual(wrong, []);
  });

  it('the server process loads no engine: only children and commands do', () => {
    const reached = new Set<string>();
    const follow = (name: string) => {
      if (reached.has(name)) return;
      reached.add(name);
      const text = files.find((file) => file.name === name)?.text ?? '';
      for (const specifier of importsOf(text)) {
        if (specifier.startsWith('.') && !isType(text, specifier)) follow(resolveImport(name, specifier));
      }
    };
    follow('main.ts');
    assert.ok(reached.has('http/app.ts') && reached.has('jobs/children.ts'), 'the walk follows imports');
    const engines = [...reached].filter((name) => name === 'engine/onnx/session.ts' || name.startsWith('engine/tfjs/'));
    assert.deepEqual(engines, []);
  });

  it('no file is longer than 300 lines, of the extension and of tests neither', () => {
    const long = [...files, ...others]
      .map(({ name, text }) => [name, text.split('\n').length - 1] as const)
      .filter(([, lines]) => lines > 300);
    assert.deepEqual(long, []);
  });

  it('file names are kebab-case and nothing is called after nothing', () => {
    const wrong = files.filter(({ name }) => {
      const parts = name.split('/');
      const isKebab = parts.every((part) => /^(\d{4}-)?[a-z0-9]+(-[a-z0-9]+)*(\.d)?(\.\w+)?$/.test(part));
      return (
        !isKebab ||
        parts.some((part) => /^(utils?|helpers?|common|manager|misc|index)\b/.test(part) && part !== 'index.ts')
      );
    });
    assert.deepEqual(
      wrong.map(({ name }) => name),
      [],
    );
  });

  it('there are no default exports, no any and no TODO', () => {
    const wrong = files.flatMap(({ name, text }) =>
      [...text.matchAll(/^export default|[:<]\s*any\b(?!thing)|\bTODO\b/gm)].map(
        ([found]) => `${name}: ${found.trim()}`,
      ),
    );
    assert.deepEqual(wrong, []);
  });
});
