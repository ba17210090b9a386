/**
 * `ipvs-wasm ipvsadm`, `ipvsadm-save` and `ipvsadm-restore`: the programs of these names on a state file.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { Director } from '../director.js';
import {
  type Dialect,
  type IpvsadmIo,
  type IpvsadmOptions,
  type IpvsadmTarget,
  namesFromFiles,
  runIpvsadm,
  runIpvsadmRestore,
  runIpvsadmSave,
} from '../rules/index.js';
import { type Io, isErrno, usageError } from './io.js';
import { nameOf, parseDialect, readText } from './rules-file.js';
import { changeState, loadState } from './state-file.js';

/** The state file, unless `--state` names one. */
const STATE_VARIABLE = 'IPVS_WASM_STATE';

const HELP = `ipvs-wasm ipvsadm, ipvsadm-save, ipvsadm-restore: the programs of these names of
ipvsadm 1.31, on a director in a file

Usage: ipvs-wasm ipvsadm --state FILE [--json] [--lossless] [--dialect dpvs] [WORDS...]
       ipvs-wasm ipvsadm-save --state FILE [--lossless] [-n]
       ipvs-wasm ipvsadm-restore --state FILE < RULES

  --state FILE  the director's state, as 'rewrite --state' leaves it; a FILE that
                is not there is an empty director, and is made by what changes it.
                Default: the value of ${STATE_VARIABLE}. What changes it holds
                FILE.lock meanwhile; another one waits for that, up to ten seconds
  --json        listings as JSON
  --lossless    also save thresholds, and marks as they can be read again
  --dialect dpvs  short options of DPVS's ipvsadm: -b --fullnat, -P --add-laddr,
                -Q --del-laddr, -G --get-laddr, -z --laddr, -j --synproxy; -F DEV
                is taken and not needed: the network says whose addresses are whose.
                Words alone: what DPVS does by itself takes --profile dpvs and --toa

WORDS are those of ipvsadm: 'ipvs-wasm ipvsadm -h' prints them. Output, messages
and exit codes are ipvsadm's: that of a restore is its last line's. Lines that are
refused are named besides, behind 'ipvs-wasm:'. The director's clock stands still
meanwhile. Names of hosts and ports are those of /etc/hosts and /etc/services.
Tables become larger where rules need it.

A link to ipvs-wasm that is called ipvsadm, ipvsadm-save or ipvsadm-restore is
that program.
`;

type Run = (argv: readonly string[], director: IpvsadmTarget, io: IpvsadmIo, options: IpvsadmOptions) => number;

const PROGRAMS: Readonly<Record<string, Run>> = {
  ipvsadm: runIpvsadm,
  'ipvsadm-save': runIpvsadmSave,
  'ipvsadm-restore': (_, director, io, options) => runIpvsadmRestore(director, io, options),
};

/** What only looks: the state stays as it is, and its file. */
const LOOKS: Readonly<Record<Dialect, RegExp>> = {
  ipvsadm: /^(-[lLShv]|--(list|save|help|version|get-laddr)$)/,
  dpvs: /^(-[lLShvG]|--(list|save|help|version|get-laddr)$)/,
};

/** What needs no state. */
const SAYS = /^(-[hv]|--version)$/;

const RESTORES = /^(-R|--restore)$/;

/** Runs the program `program` with the words after it; gives its exit code. */
export async function ipvsadmCommand(program: string, argv: readonly string[], io: Io): Promise<number> {
  const { words, state, json, lossless, dialect } = ownOptions(argv);
  if (words[0] === '--help') {
    io.out(HELP);
    return 0;
  }
  const names = namesFromFiles(systemFile('/etc/hosts'), systemFile('/etc/services'));
  if (program === 'ipvsadm' && SAYS.test(words[0] ?? '')) {
    const streams = { out: io.out, err: io.err, input: () => '' };
    return runIpvsadm(words, Director.createSync(), streams, { program, names, json, lossless, dialect });
  }
  const file = state ?? process.env[STATE_VARIABLE];
  if (file === undefined || file === '') throw usageError(`--state FILE or ${STATE_VARIABLE} is needed`);
  // Before the lock is taken: what writes to standard input may want it too.
  const isRestore = program === 'ipvsadm-restore' || (program === 'ipvsadm' && RESTORES.test(words[0] ?? ''));
  const rules = isRestore ? readText('-') : '';
  const onRefusedLine = (line: number, text: string): void =>
    io.err(`ipvs-wasm: ${nameOf('-')}:${line}: refused: ${text}\n`);
  const streams = { out: io.out, err: io.err, input: () => rules };
  const act = (director: IpvsadmTarget) =>
    PROGRAMS[program]!(words, director, streams, { program, names, json, lossless, dialect, onRefusedLine });
  const looks = LOOKS[dialect];
  const isLook = program === 'ipvsadm-save' || (program === 'ipvsadm' && looks.test(words[0] ?? '-L'));
  // Also after a mistake the state is written: what came before it was done.
  if (!isLook) return changeState(file, act);
  if (!existsSync(file)) io.err(`ipvs-wasm: ${file}: no such state, so this is an empty director's\n`);
  return act(loadState(file));
}

/** Takes our own options out of the words of ipvsadm, which has none of these names. */
function ownOptions(argv: readonly string[]) {
  const words: string[] = [];
  let state: string | undefined;
  let dialect: Dialect = 'ipvsadm';
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--state') {
      state = argv[++i];
      // Not the variable's file instead.
      if (state === undefined) throw usageError('--state needs a FILE');
    } else if (word.startsWith('--state=')) state = word.slice('--state='.length);
    else if (word === '--dialect') dialect = parseDialect(argv[++i] ?? '');
    else if (word.startsWith('--dialect=')) dialect = parseDialect(word.slice('--dialect='.length));
    else if (word !== '--json' && word !== '--lossless') words.push(word);
  }
  return { words, state, dialect, json: argv.includes('--json'), lossless: argv.includes('--lossless') };
}

function systemFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    // Other systems have none.
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EACCES')) return '';
    throw error;
  }
}
