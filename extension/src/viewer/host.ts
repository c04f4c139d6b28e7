const cornerstoneModule = '@ohif/extension-cornerstone.utilityModule.common';

interface CornerstoneLibraries {
  readonly cornerstone: ohif.Cornerstone;
  readonly cornerstoneTools: ohif.CornerstoneTools;
}

/** The viewer around the extension: its services, its commands and its own cornerstone (never a second copy). */
export class Host {
  readonly services: ohif.Services;
  readonly commands: ohif.CommandsManager;
  readonly #extensions: ohif.ExtensionManager;

  constructor(parts: ohif.HostParts) {
    this.services = parts.servicesManager.services;
    this.commands = parts.commandsManager;
    this.#extensions = parts.extensionManager;
  }

  /** The host's cornerstone; it is there once the host's own extensions are registered. */
  get libraries(): CornerstoneLibraries {
    const entry = this.#extensions.getModuleEntry(cornerstoneModule);
    const exports = entry?.exports as { getCornerstoneLibraries?: () => CornerstoneLibraries } | undefined;
    if (exports?.getCornerstoneLibraries === undefined) throw new Error('The viewer offers no cornerstone libraries.');
    return exports.getCornerstoneLibraries();
  }
}
