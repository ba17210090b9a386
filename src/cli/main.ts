#!/usr/bin/env node
/**
 * The program `ipvs-wasm`: runs one command and ends with its exit code.
 *
 * @module
 */
import { basename } from 'node:path';
import { runCommand } from './commands.js';
import { processIo } from './io.js';

/** Commands that write captures: an interrupt lets them end their files. It ends any other command at once. */
const FINISH = ['rewrite', 'demo'];

/** A link that is called so is that command. */
const LINKS = ['ipvsadm', 'ipvsadm-save', 'ipvsadm-restore'];

const link = basename(process.argv[1] ?? '');
const argv = [...(LINKS.includes(link) ? [link] : []), ...process.argv.slice(2)];
const stop = new AbortController();
if (FINISH.includes(argv[0] ?? '')) {
  process.once('SIGINT', () => {
    stop.abort();
    // A second one does not wait for the command.
    process.once('SIGINT', () => process.exit(130));
  });
}
// Everything is written synchronously; a pipe that is still open for reading must not keep the process.
process.exit(await runCommand(argv, processIo(stop.signal)));
