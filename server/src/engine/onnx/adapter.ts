import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path/posix';

/** Where to look; tests give their own. */
export interface AdapterSources {
  /** Root under which /etc, /proc and /usr lie. */
  readonly root?: string;
  readonly platform?: NodeJS.Platform;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Files through which Linux drivers reach a GPU: DRM (AMD, Intel and others), NVIDIA, and the one of WSL. */
const gpuFile = /^\/dev\/(dri\/|nvidia|dxg)/;
const driverVariables = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES'];

/**
 * Whether the adapter that WebGPU has opened in this process is one that the CPU emulates (SwiftShader, lavapipe).
 *
 * The runtime does not tell which adapter it got. But a driver of a real GPU keeps the GPU's device file open, and an
 * emulation has none to open; which drivers are loaded says nothing, since the loader loads all that are installed.
 */
export function isSoftwareAdapter({ root = '/', platform = process.platform }: AdapterSources = {}): boolean {
  if (platform !== 'linux') return false;
  const folder = join(root, 'proc/self/fd');
  return !readdirSync(folder).some((file) => gpuFile.test(linkOf(join(folder, file))));
}

/** Whether any Vulkan driver is installed where its loader looks. Other systems bring theirs. */
export function hasVulkanDriver(sources: AdapterSources = {}): boolean {
  const { root = '/', platform = process.platform, environment = process.env } = sources;
  if (platform !== 'linux' || driverVariables.some((name) => environment[name])) return true;
  const own = environment['XDG_DATA_HOME'] || join(homedir(), '.local/share');
  const folders = ['/usr/local/etc', '/usr/local/share', '/etc', '/usr/share', own];
  return folders.some((folder) => {
    const manifests = join(root, folder, 'vulkan/icd.d');
    return existsSync(manifests) && readdirSync(manifests).some((file) => file.endsWith('.json'));
  });
}

/** Empty where the file was closed meanwhile, as the one is that lists them. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
