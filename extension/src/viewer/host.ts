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

  /** Image ids of a display set in the viewer's slice order, of one that was not on display yet, too. */
  listImageIds(displaySet: ohif.DisplaySet): readonly string[] {
    return displaySet.imageIds ?? this.#extensions.getActiveDataSource()[0]?.getImageIdsForDisplaySet(displaySet) ?? [];
  }

  /** Makes display sets of instances by the part of the host that made a given one; the viewer does not have them yet. */
  makeDisplaySets(like: ohif.DisplaySet, instances: readonly ohif.Instance[]): readonly ohif.DisplaySet[] {
    const handler = this.#extensions.getModuleEntry(like.SOPClassHandlerId) as ohif.SopClassHandler | undefined;
    if (handler === undefined) throw new Error('The viewer cannot show these images apart.');
    return handler.getDisplaySetsFromSeries(instances);
  }

  /** The host's cornerstone; it is there once the host's own extensions are registered. */
  get libraries(): CornerstoneLibraries {
    const entry = this.#extensions.getModuleEntry(cornerstoneModule);
    const exports = entry?.exports as { getCornerstoneLibraries?: () => CornerstoneLibraries } | undefined;
    if (exports?.getCornerstoneLibraries === undefined) throw new Error('The viewer offers no cornerstone libraries.');
    return exports.getCornerstoneLibraries();
  }
}
