import { panelId } from './id.ts';

const baseModeId = '@ohif/mode-segmentation';

/** Keys that the host leaves free. They can be changed in its preferences. */
const keys = [
  { commandName: 'uncolSegment', label: 'UnCoL: segment', keys: ['shift+s'] },
  { commandName: 'uncolNextCase', label: 'UnCoL: next case', keys: ['shift+n'] },
  { commandName: 'uncolTickSlice', label: 'UnCoL: tick this slice as right', keys: ['t'] },
  { commandName: 'uncolTickAndGoOn', label: 'UnCoL: tick, go on to the next slice', keys: ['shift+t'] },
  { commandName: 'uncolToggleUncertainty', label: 'UnCoL: show where the model is unsure', keys: ['u'] },
  { commandName: 'uncolGoToLeastSure', label: 'UnCoL: go to the least sure slice', keys: ['shift+u'] },
];

/**
 * The host's segmentation mode with our panel in front, our button and our keys. Only wrapped, so that every tool of
 * the host's mode is there as the reader knows it.
 */
const mode = {
  id: '@uncol/ohif-mode',

  /** @throws Error when the host does not carry its segmentation mode. */
  async modeFactory({ modeConfiguration, loadModules }: ohif.ModeFactoryInput): Promise<ohif.Mode> {
    const [module] = await loadModules([baseModeId]);
    if (module === undefined) throw new Error(`This viewer carries no ${baseModeId}.`);
    const base = await module.modeFactory({ ...(modeConfiguration && { modeConfiguration }), loadModules });
    return {
      ...base,
      id: '@uncol/ohif-mode',
      routeName: 'uncol',
      displayName: 'Segment and teach (UnCoL)',
      routes: base.routes.map(putPanelFirst),
      onModeEnter(context: ohif.HostParts) {
        base.onModeEnter.call(this, context);
        addButton(context.servicesManager.services.toolbarService);
        addKeys(context.servicesManager.services);
      },
    };
  },
};

export default mode;

function putPanelFirst(route: ohif.Route): ohif.Route {
  return {
    ...route,
    async layoutTemplate(context: object) {
      const layout = await route.layoutTemplate(context);
      const rightPanels = [panelId, ...(layout.props.rightPanels ?? [])];
      return { ...layout, props: { ...layout.props, rightPanels, rightPanelClosed: false } };
    },
  };
}

function addButton(toolbarService: ohif.ToolbarService): void {
  const buttonId = 'UncolSegment';
  toolbarService.register([
    {
      id: buttonId,
      uiType: 'ohif.toolButton',
      props: {
        icon: 'ToolSegmentAnything',
        label: 'Segment with UnCoL',
        tooltip: 'Segment this series with UnCoL (Shift+S)',
        commands: 'uncolSegment',
        evaluate: 'evaluate.action',
      },
    },
  ]);
  toolbarService.updateSection(toolbarService.sections['primary'] ?? 'Primary', [buttonId]);
}

function addKeys({ customizationService }: ohif.Services): void {
  const bindings = keys.map((binding) => ({ ...binding, isEditable: true }));
  customizationService.setCustomizations({ 'ohif.hotkeyBindings': { $push: bindings } });
}
