// Plain JavaScript, because `npm start` shows its first steps before any package is installed; types: steps.d.mts.

const TICK_MS = 200;
const PLAIN_LINE_MS = 5000;

/** @param {number} ms */
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** @param {NodeJS.WriteStream} out */
export function createSteps(out = process.stderr) {
  const terminal = out.isTTY === true;

  async function run(title, work) {
    const startedAt = performance.now();
    const state = { share: null, note: '' };
    const elapsedMs = () => performance.now() - startedAt;
    const line = () => {
      const percent = state.share === null ? '    ' : `${String(Math.floor(state.share * 100)).padStart(3)}%`;
      return `  ${title.padEnd(30)} ${percent} ${seconds(elapsedMs()).padStart(8)}  ${state.note}`.trimEnd();
    };
    const show = () => out.write(terminal ? `\r\x1b[2K${line().slice(0, (out.columns || 80) - 1)}` : `${line()}\n`);
    const ticker = setInterval(show, terminal ? TICK_MS : PLAIN_LINE_MS);
    ticker.unref();
    if (terminal) show();
    try {
      const result = await work((share, note = '') => {
        state.share = share === null ? null : Math.min(1, Math.max(0, share));
        state.note = note;
      });
      state.share = 1;
      state.note = '';
      show();
      return result;
    } catch (error) {
      state.note = 'failed';
      show();
      throw error;
    } finally {
      clearInterval(ticker);
      if (terminal) out.write('\n');
    }
  }

  return { run };
}
