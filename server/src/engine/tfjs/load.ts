import * as tf from '@tensorflow/tfjs-core';
import type { EngineCandidate } from '../candidate.ts';
import { noteFailure } from './device.ts';
import { createTfjsEngine } from './engine.ts';
import { registerGradients } from './gradients.ts';

/**
 * What there may be of TensorFlow.js, the fastest first. Both native packages bring libtensorflow, `webgpu` is Dawn for
 * Node, `wasm` and `cpu` are always there: the one is slow, the other for tiny shapes only.
 */
export const tfjsCandidates: readonly EngineCandidate[] = [
  candidate('cuda', 'tensorflow', () => openNative('@tensorflow/tfjs-node-gpu', true)),
  candidate('tensorflow', 'tensorflow', () => openNative('@tensorflow/tfjs-node', false)),
  candidate('webgpu', 'webgpu', openWebGpu),
  candidate('wasm', 'wasm', openWasm),
  candidate('cpu', 'cpu', () => import('@tensorflow/tfjs-backend-cpu')),
];

/**
 * Why a package cannot be used, in one line: the first one of the loader's own text, with files by their names only.
 *
 * @param error whatever the loader threw.
 */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.split('\n').find((each) => each.trim() !== '') ?? 'it failed without a reason';
  return line
    .trim()
    .replace(/(?<=^|[\s'"(=])(?:file:\/\/)?(?:[A-Za-z]:)?[\\/](?:[^\s'":]+[\\/])*([^\s'":\\/]+)/g, '$1');
}

function candidate(device: string, backend: string, open: (threads: number) => Promise<unknown>): EngineCandidate {
  return {
    reading: 'tfjs',
    device,
    async open({ threads }) {
      try {
        // Else the library advises on its packages whenever it starts.
        tf.enableProdMode();
        // Read by libtensorflow when it is loaded.
        process.env['TF_NUM_INTRAOP_THREADS'] ??= String(threads);
        const isSoftware = (await open(threads)) === true;
        if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js could not start its backend ${backend}`);
        registerGradients();
        return { engine: createTfjsEngine(backend, device), isSoftware };
      } catch (error) {
        throw new Error(reasonOf(error), { cause: error });
      }
    },
  };
}

/** A package that may be absent, hence without its types. */
function importOptional(name: string): Promise<unknown> {
  return import(name);
}

async function openNative(name: string, onGpu: boolean): Promise<void> {
  // Two copies of libtensorflow in one process would clash, and both register the same backend.
  if (tf.findBackend('tensorflow') === null) await importOptional(name);
  const { isUsingGpuDevice } = tf.findBackend('tensorflow') as { isUsingGpuDevice?: boolean };
  if (onGpu && isUsingGpuDevice !== true) throw new Error(`${name} is there but sees no GPU`);
  if (!onGpu && isUsingGpuDevice === true) throw new Error('libtensorflow computes on the GPU in this process');
}

/** The module's start-up code takes over what the process does about failures nobody caught; that is given back. */
async function openWasm(): Promise<void> {
  const exceptions = process.listeners('uncaughtException');
  const rejections = process.listeners('unhandledRejection');
  await import('@tensorflow/tfjs-backend-wasm');
  await tf.setBackend('wasm');
  for (const listener of process.listeners('uncaughtException')) {
    if (!exceptions.includes(listener)) process.off('uncaughtException', listener);
  }
  for (const listener of process.listeners('unhandledRejection')) {
    if (!rejections.includes(listener)) process.off('unhandledRejection', listener);
  }
}

/** The part of npm `webgpu` in use: an implementation of the WebGPU standard. */
interface Dawn {
  create(options: readonly string[]): Gpu;
  readonly globals: object;
}
interface Gpu {
  requestAdapter(options: object): Promise<Adapter | null>;
}
interface Adapter {
  readonly info: Readonly<Record<'vendor' | 'architecture' | 'device' | 'description', string>>;
  readonly limits: Readonly<Record<string, number>>;
  requestDevice(options: object): Promise<EventTarget>;
}
interface WebGpuPackage {
  readonly WebGPUBackend: new (device: object, info: object) => tf.KernelBackend;
}

/** Limits that the backend's kernels are laid out for; the standard's defaults are far below those of a GPU. */
const limitNames = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
] as const;

let gpu: Gpu | undefined;
let isSoftwareAdapter = false;

/** Whether the adapter is emulated by the CPU. */
async function openWebGpu(): Promise<boolean> {
  if (tf.findBackend('webgpu') !== null) return isSoftwareAdapter;
  const dawn = (await importOptional('webgpu')) as Dawn;
  // The backend expects the constants of the standard among the globals, as in a browser.
  Object.assign(globalThis, dawn.globals);
  const { WebGPUBackend } = (await importOptional('@tensorflow/tfjs-backend-webgpu')) as WebGpuPackage;
  // Referred to for as long as the process computes: Dawn ends with its last reference.
  gpu ??= dawn.create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new Error('WebGPU finds no adapter: no GPU, or no Vulkan driver for it');
  const requiredLimits = Object.fromEntries(limitNames.map((name) => [name, adapter.limits[name]]));
  const device = await adapter.requestDevice({ requiredLimits });
  // A kernel that the device refuses gives zeros, and this event is all that tells.
  device.addEventListener('uncapturederror', (event) => {
    const { error } = event as Event & { readonly error: Error };
    noteFailure('webgpu', error.message.split('\n')[0] ?? '');
  });
  const { vendor, architecture, device: model, description } = adapter.info;
  isSoftwareAdapter = /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(
    [vendor, architecture, model, description].join(' '),
  );
  const backend = asInBrowser(gpu, () => new WebGPUBackend(device, adapter.info));
  tf.registerBackend('webgpu', () => backend);
  return isSoftwareAdapter;
}

/** The backend refuses to start where `navigator.gpu` is missing. Other packages take a navigator for a browser. */
function asInBrowser<Result>(present: Gpu, start: () => Result): Result {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: present }, configurable: true });
  try {
    return start();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, 'navigator');
    else Object.defineProperty(globalThis, 'navigator', before);
  }
}
