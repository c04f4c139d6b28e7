/** The parts of the host that this extension touches; OHIF's packages ship no types. Checked against 3.13.2. */
declare namespace ohif {
  interface Subscription {
    unsubscribe(): void;
  }

  interface PubSub {
    readonly EVENTS: Readonly<Record<string, string>>;
    subscribe(event: string, listener: (event: never) => void): Subscription;
  }

  interface Instance {
    readonly SOPInstanceUID: string;
  }

  interface SopClassHandler {
    getDisplaySetsFromSeries(instances: readonly Instance[]): readonly DisplaySet[];
  }

  interface DisplaySet {
    readonly displaySetInstanceUID: string;
    readonly StudyInstanceUID: string;
    readonly SeriesInstanceUID: string;
    readonly SeriesDescription?: string;
    readonly Modality: string;
    readonly isDynamicVolume?: boolean;
    /** Image ids in the viewer's slice order. */
    readonly imageIds?: readonly string[];
    readonly instances?: readonly Instance[];
    readonly SOPClassHandlerId: string;
    setAttributes(attributes: Readonly<Record<string, unknown>>): void;
    /** Set on SEG, RTSTRUCT and the like. */
    readonly referencedDisplaySetInstanceUID?: string;
  }

  interface Viewport {
    readonly viewportId: string;
    readonly displaySetInstanceUIDs: readonly string[];
    readonly viewportOptions?: { readonly viewportType?: string };
  }

  interface ViewportGridService extends PubSub {
    getState(): {
      readonly activeViewportId: string | null;
      readonly viewports: ReadonlyMap<string, Viewport>;
      readonly layout: { readonly numRows: number; readonly numCols: number };
    };
    getActiveViewportId(): string;
  }

  interface DisplaySetService extends PubSub {
    getDisplaySetByUID(uid: string): DisplaySet | undefined;
    getActiveDisplaySets(): readonly DisplaySet[];
    addDisplaySets(...displaySets: readonly DisplaySet[]): void;
  }

  interface SegmentInput {
    readonly segmentIndex: number;
    readonly label: string;
    readonly active: boolean;
    readonly locked: boolean;
    readonly cachedStats: object;
    readonly algorithmType: 'AUTOMATIC';
    readonly algorithmName: string;
  }

  interface SegmentationService extends PubSub {
    createLabelmapForDisplaySet(
      displaySet: DisplaySet,
      options: { readonly label: string; readonly segments: Readonly<Record<number, SegmentInput>> },
    ): Promise<string>;
    addSegmentationRepresentation(
      viewportId: string,
      options: { readonly segmentationId: string; readonly type: 'Labelmap' },
    ): Promise<void>;
    setActiveSegmentation(viewportId: string, segmentationId: string): void;
    setSegmentColor(viewportId: string, segmentationId: string, segmentIndex: number, rgba: readonly number[]): void;
    remove(segmentationId: string): void;
  }

  /** A stack viewport; volume viewports lack the image methods. */
  interface CornerstoneViewport {
    readonly element: HTMLDivElement;
    getImageIds?(): readonly string[];
    setImageIdIndex?(index: number): Promise<unknown>;
    getCurrentImageId?(): string | undefined;
  }

  interface CornerstoneViewportService extends PubSub {
    getCornerstoneViewport(viewportId: string): CornerstoneViewport | null;
  }

  interface PanelService extends PubSub {
    activatePanel(panelId: string, forceActive: boolean): void;
  }

  interface ToolbarService {
    readonly sections: Readonly<Record<string, string>>;
    register(buttons: readonly object[]): void;
    updateSection(section: string, buttonIds: readonly string[]): void;
  }

  interface NotificationService {
    show(notification: {
      readonly title: string;
      readonly message: string;
      readonly type: 'success' | 'error' | 'info' | 'warning';
      readonly duration?: number;
    }): void;
  }

  interface Services {
    readonly viewportGridService: ViewportGridService;
    readonly displaySetService: DisplaySetService;
    readonly cornerstoneViewportService: CornerstoneViewportService;
    readonly segmentationService: SegmentationService;
    readonly panelService: PanelService;
    readonly hangingProtocolService: {
      getState(): { readonly protocolId?: string };
      /** Viewports that have to change, for one of them to show a display set. */
      getViewportsRequireUpdate(viewportId: string, displaySetInstanceUid: string): readonly Viewport[];
    };
    readonly cineService: { setIsCineEnabled(isEnabled: boolean): void };
    /** Image ids of stacks by Display Set Instance UID. */
    readonly cornerstoneCacheService: { readonly stackImageIds: Map<string, readonly string[]> };
    readonly toolbarService: ToolbarService;
    readonly uiNotificationService: NotificationService;
    readonly customizationService: { setCustomizations(customizations: Readonly<Record<string, object>>): void };
    readonly userAuthenticationService: { getAuthorizationHeader(): Readonly<Record<string, string>> | undefined };
  }

  interface CommandsManager {
    run(name: string, options?: object, context?: string): unknown;
  }

  interface ExtensionManager {
    getModuleEntry(id: string): { readonly exports?: object } | undefined;
    getActiveDataSource(): readonly { getImageIdsForDisplaySet(displaySet: DisplaySet): readonly string[] }[];
  }

  interface HostParts {
    readonly servicesManager: { readonly services: Services };
    readonly commandsManager: CommandsManager;
    readonly extensionManager: ExtensionManager;
    readonly appConfig?: { readonly uncol?: { readonly root?: string } };
  }

  interface CornerstoneImage {
    readonly imageId: string;
    readonly referencedImageId?: string;
    readonly voxelManager: { getScalarData(): Uint8Array; setScalarData(data: Uint8Array): void };
  }

  interface Cornerstone {
    readonly cache: { getImage(imageId: string): CornerstoneImage | undefined };
    readonly metaData: { get(type: string, imageId: string): Readonly<Record<string, unknown>> | undefined };
    readonly utilities: { uuidv4(): string };
  }

  interface CornerstoneTools {
    readonly segmentation: {
      readonly config: {
        readonly style: {
          setStyle(
            which: { readonly segmentationId: string; readonly type: 'Labelmap' },
            style: Readonly<Record<string, boolean | number>>,
          ): void;
        };
      };
      readonly state: {
        getSegmentation(id: string):
          | {
              readonly representationData: { readonly Labelmap?: { readonly imageIds?: readonly string[] } };
            }
          | undefined;
      };
      readonly triggerSegmentationEvents: { triggerSegmentationDataModified(id: string): void };
    };
  }

  interface Mode {
    readonly id: string;
    readonly routes: readonly Route[];
    onModeEnter(context: HostParts): void;
    onModeExit(context: HostParts): void;
    readonly [key: string]: unknown;
  }

  interface Layout {
    readonly id: string;
    readonly props: Readonly<Record<string, unknown>> & { readonly rightPanels?: readonly unknown[] };
  }

  interface Route {
    readonly path: string;
    layoutTemplate(context: object): Layout | Promise<Layout>;
    readonly [key: string]: unknown;
  }

  interface ModeFactoryInput {
    readonly modeConfiguration?: object;
    loadModules(names: readonly string[]): Promise<readonly ModeModule[]>;
  }

  interface ModeModule {
    readonly id: string;
    modeFactory(input: ModeFactoryInput): Mode | Promise<Mode>;
    readonly [key: string]: unknown;
  }
}

declare module '*.css' {
  const text: string;
  export default text;
}

interface Window {
  /** The host's React, shared from OHIF 3.14 on. */
  readonly react?: typeof import('react');
  readonly config?: { readonly routerBasename?: string | null };
}
