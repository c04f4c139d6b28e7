/** Id under which OHIF knows the extension; equals the package name. */
export const id = '@uncol/ohif-extension';
/** Full id of the panel, as a mode's layout names it. */
export const panelId = `${id}.panelModule.uncol`;
