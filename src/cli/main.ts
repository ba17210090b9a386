#!/usr/bin/env node
/**
 * The program `ipvs-wasm`: runs one command and ends with its exit code.
 *
 * @module
 */
import { runCommand } from './commands.js';
import { processIo } from './io.js';

const io = processIo();
process.once('SIGINT', () => {
  io.stop.requested = true;
  // A second one ends the process as usual.
  process.once('SIGINT', () => process.exit(130));
});
process.exitCode = await runCommand(process.argv.slice(2), io);
