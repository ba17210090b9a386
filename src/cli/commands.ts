/**
 * From the words of a command line to an exit code: finds the command, and turns errors into messages.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { IpvsError } from '../errors.js';
import { CliError, type Io, isErrno } from './io.js';

/** Runs a command with the words after its name; gives the exit code. */
type Command = (argv: readonly string[], io: Io) => Promise<number>;

interface Entry {
  readonly summary: string;
  /** What it needs beside the program: without it the overview does not offer it. */
  readonly needs?: URL;
  /** Loads the command: only the code of the one that runs is read. */
  readonly load: () => Promise<Command>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  rewrite: {
    summary: 'captures and rules in, rewritten captures out',
    load: async () => (await import('./rewrite.js')).rewriteCommand,
  },
  explain: {
    summary: "one packet's way through the director, and why",
    load: async () => (await import('./explain.js')).explainCommand,
  },
  verify: {
    summary: "hold our output to a kernel's captures",
    load: async () => (await import('./verify.js')).verifyCommand,
  },
  check: {
    summary: 'mistakes in ipvsadm rules and keepalived.conf, by line',
    load: async () => (await import('./check.js')).checkCommand,
  },
  ipvsadm: {
    summary: "ipvsadm on a director's state file",
    load: async () => ipvsadmNamed('ipvsadm'),
  },
  'ipvsadm-save': {
    summary: 'its rules to standard output',
    load: async () => ipvsadmNamed('ipvsadm-save'),
  },
  'ipvsadm-restore': {
    summary: 'its rules from standard input',
    load: async () => ipvsadmNamed('ipvsadm-restore'),
  },
  demo: {
    summary: 'rewrite a recorded capture and show everything',
    needs: new URL('../../test/fixtures/kernel/nat-tcp', import.meta.url),
    load: async () => (await import('./demo.js')).demoCommand,
  },
};

async function ipvsadmNamed(program: string): Promise<Command> {
  const { ipvsadmCommand } = await import('./ipvsadm.js');
  return (argv, io) => ipvsadmCommand(program, argv, io);
}

const OVERVIEW = `ipvs-wasm: the Linux Virtual Server data path as a library and a tool

Usage: ipvs-wasm COMMAND [OPTIONS]

Commands:
${Object.entries(COMMANDS)
  .filter(([, { needs }]) => needs === undefined || existsSync(needs))
  .map(([name, { summary }]) => `  ${name.padEnd(16)}${summary}`)
  .join('\n')}

  ipvs-wasm COMMAND --help prints the options of a command.
  ipvs-wasm --version prints the version.

Data goes to standard output, messages to standard error.

Exit codes:
  0    all went well
  1    a check failed, or the input is damaged (what came before it was written)
  2    wrong options, an error in the rules or the network, or a file that
       cannot be read or written
  70   a defect of ipvs-wasm itself: please report it
  130  stopped by an interrupt; the output is whole up to there
The ipvsadm commands have ipvsadm's own: 2 for wrong words, 255 for what is
refused.
`;

/** Runs the command line `argv` (without the program's name); gives the exit code. Never throws for a user's error. */
export async function runCommand(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv;
  try {
    if (name === undefined) {
      io.err(OVERVIEW);
      return 2;
    }
    if (name === '--help' || name === '-h' || name === 'help') {
      io.out(OVERVIEW);
      return 0;
    }
    if (name === '--version' || name === '-V') {
      io.out(`ipvs-wasm ${packageVersion()}\n`);
      return 0;
    }
    const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (entry === undefined) {
      throw new CliError(
        2,
        `${name.startsWith('-') ? 'unknown option' : 'unknown command'} '${name}': see ipvs-wasm --help`,
      );
    }
    const command = await entry.load();
    return await command(rest, io);
  } catch (error) {
    return report(error, name, io);
  }
}

/** Says what went wrong, in one line where a user can mend it; gives the exit code. */
function report(error: unknown, name: string | undefined, io: Io): number {
  // The reader of a pipe has all it wanted.
  if (isErrno(error, 'EPIPE')) return 0;
  if (error instanceof CliError) {
    io.err(`ipvs-wasm: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof IpvsError) {
    io.err(`ipvs-wasm: ${error.message}\n`);
    return error.code === 'BAD_CAPTURE' ? 1 : 2;
  }
  if (error instanceof Error && 'syscall' in error) {
    const { path, code } = error as NodeJS.ErrnoException;
    io.err(`ipvs-wasm: ${path === undefined ? '' : `${path}: `}${SYSTEM[code ?? ''] ?? error.message}\n`);
    return 2;
  }
  io.err(`ipvs-wasm ${name}: this is a defect of ipvs-wasm, please report it\n${(error as Error).stack ?? error}\n`);
  return 70;
}

const SYSTEM: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
  ENOSPC: 'no space left on device',
};

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}
