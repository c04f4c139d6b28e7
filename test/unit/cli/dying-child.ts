/** Child of engine-trials.test.ts: ends as a process ends whose driver fails. */
process.kill(process.pid, 'SIGSEGV');
