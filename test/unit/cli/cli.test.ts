import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createProgram } from '../../../server/src/cli/index.ts';

describe('command line', () => {
  it('every command explains itself with an example', () => {
    for (const command of createProgram().commands) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) });
      command.outputHelp();
      assert.match(help, /Example: .*uncol /, command.name());
      assert.match(help, /--json/, command.name());
    }
    assert.deepEqual(
      createProgram().commands.map((command) => command.name()),
      [
        ...[
          'serve',
          'segment',
          'import',
          'train',
          'ablate',
          'rounds',
          'quality',
          'worklist',
          'models',
          'sign',
          'usage',
          'forget',
        ],
        ...['promote', 'rollback', 'pause', 'resume', 'pin', 'unpin', 'doctor'],
      ],
    );
  });
});
