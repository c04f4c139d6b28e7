import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { hasVulkanDriver, isSoftwareAdapter } from '../../../server/src/engine/onnx/adapter.ts';

describe('adapter of WebGPU', () => {
  const folders: string[] = [];
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });
  const rootWith = (make: (root: string) => void): string => {
    const root = mkdtempSync(join(tmpdir(), 'uncol-adapter-'));
    folders.push(root);
    make(root);
    return root;
  };
  /** A process that has these files open. */
  const holding = (...targets: string[]): string =>
    rootWith((root) => {
      const folder = join(root, 'proc/self/fd');
      mkdirSync(folder, { recursive: true });
      for (const [descriptor, target] of targets.entries()) symlinkSync(target, join(folder, String(descriptor)));
    });

  it('is emulated where no device file of a GPU is open', () => {
    const platform = 'linux';
    assert.equal(isSoftwareAdapter({ root: holding('/dev/null', '/tmp/dev/dri/x', 'socket:[1]'), platform }), true);
    for (const file of ['/dev/dri/renderD128', '/dev/nvidia0', '/dev/nvidiactl', '/dev/dxg']) {
      assert.equal(isSoftwareAdapter({ root: holding('/dev/null', file), platform }), false, file);
    }
  });

  it('is emulated in this process, which has opened none', { skip: process.platform !== 'linux' }, () => {
    assert.equal(isSoftwareAdapter(), true);
  });

  it('is never called emulated on systems whose drivers are always those of the GPU', () => {
    assert.equal(isSoftwareAdapter({ root: holding('/dev/null'), platform: 'darwin' }), false);
  });

  it('needs a driver: a manifest where the loader looks, or one named by a variable', () => {
    const linux = { platform: 'linux', environment: { XDG_DATA_HOME: '/data' } } as const;
    const empty = rootWith(() => {});
    assert.equal(hasVulkanDriver({ ...linux, root: empty }), false);
    for (const folder of ['usr/share', 'etc', 'data']) {
      const root = rootWith((at) => {
        const manifest = join(at, folder, 'vulkan/icd.d/driver.json');
        mkdirSync(dirname(manifest), { recursive: true });
        writeFileSync(manifest, '{}');
      });
      assert.equal(hasVulkanDriver({ ...linux, root }), true, folder);
    }
    const environment = { VK_ICD_FILENAMES: '/somewhere.json' };
    assert.equal(hasVulkanDriver({ platform: 'linux', root: empty, environment }), true);
    assert.equal(hasVulkanDriver({ platform: 'win32', root: empty, environment: {} }), true);
  });
});
