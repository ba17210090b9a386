/**
 * A real Linux as a child process: user-mode Linux, without root and without a network namespace of the host. Its Ethernet
 * interfaces are UDP ports on loopback: a datagram each frame.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modulePaths } from './modules.js';
import { ROOT } from './root.js';
import { INITIAL_SYSCTLS, setSysctl } from './sysctls.js';

/** An Ethernet interface of the guest. */
export interface LabInterface {
  readonly name: string;
  readonly mac: string;
}

/** An interface and its ports of UDP. */
export interface WiredInterface extends LabInterface {
  /** Where it takes frames. */
  readonly port: number;
  /** Where it sends them. */
  readonly to: number;
}

/** What a command of the guest gave. */
export interface Ran {
  /** Standard output and error. */
  readonly output: string;
  readonly code: number;
}

/** Programs that are run here or in the guest, which sees the same files, and the Debian packages that they are in. */
export type Programs = Readonly<Record<string, string>>;

const PROGRAM = 'linux.uml';
const NEEDED: Programs = {
  [PROGRAM]: 'user-mode-linux',
  insmod: 'kmod',
  ip: 'iproute2',
  tc: 'iproute2',
  ipvsadm: 'ipvsadm',
  ethtool: 'ethtool',
};
/** Where the guest looks for programs; a user's own path may lack some. */
const PATH = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const BOOT_MS = 60_000;
const COMMAND_MS = 60_000;
/** How long setting the clock may take, and how often it is tried. */
const CLOCK_MS = 200;
const CLOCK_TRIES = 20;
/** MiB of memory. */
const MEMORY = 192;
/** Characters of the guest's own log that are kept for errors. */
const LOG_LENGTH = 4000;

/** Guests that run now, so that none outlives this process. */
const running = new Set<Guest>();
const endAll = () => {
  for (const each of running) each.close();
};
const endOnSignal = (signal: NodeJS.Signals) => {
  endAll();
  process.kill(process.pid, signal);
};

/** How to boot. */
export interface GuestOptions {
  readonly interfaces: readonly WiredInterface[];
  /** Memory in MiB; default 192. */
  readonly memory?: number;
  /** What its commands need besides. */
  readonly programs?: Programs;
}

/**
 * Boots a guest: ip_vs with all its schedulers, tunnels and SCTP loaded, its interfaces there but down and without addresses.
 *
 * @throws Error when it is not installed or does not boot; the message says how to install it
 */
export async function bootGuest({ interfaces, memory = MEMORY, programs = {} }: GuestOptions): Promise<Guest> {
  checkPrograms({ ...NEEDED, ...programs });
  const release = releaseOf();
  const modules = await modulePaths(release);
  const folder = mkdtempSync(join(tmpdir(), 'kernel-lab-'));
  const guest = new Guest(start(folder, interfaces, memory), folder, release);
  try {
    await guest.boot(modules, interfaces);
    return guest;
  } catch (error) {
    guest.close();
    throw error;
  }
}

/** @throws Error that names the packages of programs which are not there */
function checkPrograms(needed: Programs): void {
  const missing = Object.keys(needed).filter((name) => !PATH.some((folder) => existsSync(join(folder, name))));
  if (missing.length === 0) return;
  const packages = missing.map((name) => needed[name]).join(' ');
  throw new Error(`the kernel lab needs ${missing.join(', ')}; on Debian: apt-get install ${packages}`);
}

/** The release of the installed kernel. */
function releaseOf(): string {
  return execFileSync(PROGRAM, ['--version'], { encoding: 'utf8' }).trim();
}

function start(folder: string, interfaces: readonly WiredInterface[], memory: number): ChildProcess {
  const words = [
    'root=/dev/root',
    'rootfstype=hostfs',
    'ro',
    `mem=${memory}M`,
    'con=null',
    'con0=null,fd:1',
    'ssl0=fd:3',
    `uml_dir=${folder}/uml`,
    `init=${join(ROOT, 'test/kernel-lab/guest-init.sh')}`,
    `LAB=${folder}`,
    'quiet',
    ...interfaces.map(({ mac, port, to }, i) => `eth${i}=ucast,${mac},127.0.0.1,${port},${to}`),
  ];
  // A process group of its own, so that its end takes its children along.
  return spawn(PROGRAM, words, { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
}

/** The running guest. */
export class Guest implements AsyncDisposable {
  /** Such as 6.1.176. */
  readonly release: string;
  /** A folder of its own on this machine, which it may read: `$LAB` in its scripts. */
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #console: Socket;
  readonly #exited: Promise<void>;
  #log = '';
  #heard = '';
  #waiting: { line: string; done: (ran: Ran) => void; fail: (error: Error) => void } | undefined;
  #commands = 0;
  #closed = false;

  constructor(child: ChildProcess, folder: string, release: string) {
    this.release = release;
    this.folder = folder;
    this.#child = child;
    this.#console = child.stdio[3] as Socket;
    this.#console.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    // The other end may be gone before we write.
    this.#console.on('error', () => {});
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-LOG_LENGTH);
      });
    }
    this.#exited = new Promise((resolve) => {
      const ended = (why: string) => {
        this.#waiting?.fail(new Error(`the guest ended (${why})\n${this.#log}`));
        resolve();
      };
      child.once('exit', (code, signal) => ended(String(signal ?? code)));
      child.once('error', (error) => ended(error.message));
    });
    if (running.size === 0) {
      process.once('exit', endAll);
      process.once('SIGINT', endOnSignal);
      process.once('SIGTERM', endOnSignal);
    }
    running.add(this);
  }

  /** Loads modules and names the interfaces; {@link bootGuest} has done so. */
  async boot(modules: readonly string[], interfaces: readonly LabInterface[]): Promise<void> {
    await this.#hearing('boot', BOOT_MS);
    const names = interfaces.map(({ name }, i) => `ip link set eth${i} name ${name}`);
    await this.must(
      [...modules.map((path) => `insmod ${path}`), ...INITIAL_SYSCTLS.map(setSysctl), ...names].join('\n'),
    );
    await this.#setClock();
  }

  /** What the guest read at its start may be off by some 100 ms, and so is what is set while the machine is busy. */
  async #setClock(): Promise<void> {
    for (let tries = 0; tries < CLOCK_TRIES; tries++) {
      const at = Date.now();
      await this.must(`date -s @${at / 1000} >/dev/null`);
      if (Date.now() - at < CLOCK_MS) return;
    }
  }

  /** Runs a shell script, for `ms` at most. */
  async run(script: string, ms = COMMAND_MS): Promise<Ran> {
    const name = String(++this.#commands);
    writeFileSync(join(this.folder, name), `${script}\n`);
    return this.tell(name, ms);
  }

  /** Runs a shell script up to the first command that fails; what it prints. @throws Error when one failed */
  async must(script: string, ms = COMMAND_MS): Promise<string> {
    const { output, code } = await this.run(`set -e\n${script}`, ms);
    if (code !== 0) throw new Error(`the guest: code ${code} from\n${script}\n${output}`);
    return output;
  }

  /** Says a line to `guest-init.sh`. */
  tell(line: string, ms = COMMAND_MS): Promise<Ran> {
    const answer = this.#hearing(line, ms);
    this.#console.write(`${line}\n`);
    return answer;
  }

  /** Ends the guest at once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    running.delete(this);
    if (running.size === 0) {
      process.off('exit', endAll);
      process.off('SIGINT', endOnSignal);
      process.off('SIGTERM', endOnSignal);
    }
    const { pid } = this.#child;
    try {
      // It has nothing to save.
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    this.#console.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The same, and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#exited;
  }

  #hearing(line: string, ms: number): Promise<Ran> {
    if (this.#waiting !== undefined) throw new Error('the guest obeys one command at a time');
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting = undefined;
      };
      const fail = (error: Error) => {
        end();
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new Error(`the guest does not answer: ${line}\n${this.#heard}\n${this.#log}`)),
        ms,
      );
      const done = (ran: Ran) => {
        end();
        resolve(ran);
      };
      this.#waiting = { line, done, fail };
    });
  }

  #hear(text: string): void {
    this.#heard += text;
    const [all, line, code] = /\n=== (\w+) (\d+)\n$/.exec(this.#heard) ?? [];
    const waiting = this.#waiting;
    if (all === undefined || waiting === undefined || line !== waiting.line) return;
    const output = this.#heard.slice(0, -all.length);
    this.#heard = '';
    waiting.done({ output, code: Number(code) });
  }
}
