#!/usr/bin/env node
// The sources are TypeScript and run as they are: no build step between `npm ci` and the first command.
import { register } from 'tsx/esm/api';

register();
const { runCli } = await import('../src/cli/index.ts');
process.exitCode = await runCli(process.argv);
