/**
 * A real Linux director as a child process: user-mode Linux, without root and without a network namespace of the host.
 *
 * ```ts
 * await using kernel = await bootDirector();
 * await kernel.must('ip addr add 10.0.0.1/24 dev cli && ip link set cli up');
 * const frames = await kernel.send('cli', frame);
 * ```
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
import { INITIAL_SYSCTLS, SYSCTLS } from './sysctls.js';
import { freePorts, PROBED, Wires } from './wires.js';

/** A frame that the kernel sent. */
export interface Emitted {
  readonly outInterface: string;
  /** When it came, ns since the epoch. */
  readonly time: bigint;
  readonly data: Uint8Array;
}

/** A frame to be given to the kernel. */
export interface Arrival {
  readonly inInterface: string;
  readonly frame: Uint8Array;
}

/** An Ethernet interface of the guest. */
export interface LabInterface {
  readonly name: string;
  readonly mac: string;
}

/** The interfaces of the captures' director. */
export const INTERFACES: readonly LabInterface[] = [
  { name: 'cli', mac: '02:00:00:00:00:01' },
  { name: 'srv', mac: '02:00:00:00:01:01' },
];

/** How to boot. */
export interface BootOptions {
  /** Default: `cli` and `srv`. */
  readonly interfaces?: readonly LabInterface[];
  /** Memory of the guest in MiB; default 192. */
  readonly memory?: number;
}

/** What a command of the guest gave. */
export interface Ran {
  /** Standard output and error. */
  readonly output: string;
  readonly code: number;
}

const PROGRAM = 'linux.uml';
/** What is run here or in the guest, which sees the same files, and the Debian package that it is in. */
const NEEDED: Readonly<Record<string, string>> = {
  [PROGRAM]: 'user-mode-linux',
  insmod: 'kmod',
  ip: 'iproute2',
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
/** Characters of the guest's own log that are kept for errors. */
const LOG_LENGTH = 4000;

/** Guests that run now, so that none outlives this process. */
const running = new Set<KernelDirector>();
const endAll = () => {
  for (const each of running) each.close();
};
const endOnSignal = (signal: NodeJS.Signals) => {
  endAll();
  process.kill(process.pid, signal);
};

/**
 * Boots a director: ip_vs with all its schedulers, tunnels and SCTP loaded, its interfaces there but down and without
 * addresses, in a network namespace of its own ({@link KernelDirector.renew}).
 *
 * @throws Error when it is not installed or does not boot; the message says how to install it
 */
export async function bootDirector(options: BootOptions = {}): Promise<KernelDirector> {
  const interfaces = options.interfaces ?? INTERFACES;
  checkPrograms();
  const release = releaseOf();
  const modules = await modulePaths(release);
  const folder = mkdtempSync(join(tmpdir(), 'kernel-lab-'));
  let kernel: KernelDirector | undefined;
  try {
    const ports = await freePorts(interfaces.length);
    const wires = await Wires.open(new Map(interfaces.map(({ name }, i) => [ports[i] as number, name])));
    const child = start(folder, interfaces, ports, wires.port, options.memory ?? 192);
    kernel = new KernelDirector(child, folder, interfaces, wires, release);
    await kernel.boot(modules);
    return kernel;
  } catch (error) {
    kernel?.close();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** @throws Error that names the packages of programs which are not there */
function checkPrograms(): void {
  const missing = Object.keys(NEEDED).filter((name) => !PATH.some((folder) => existsSync(join(folder, name))));
  if (missing.length === 0) return;
  const packages = missing.map((name) => NEEDED[name]).join(' ');
  throw new Error(`the kernel lab needs ${missing.join(', ')}; on Debian: apt-get install ${packages}`);
}

/** The release of the installed kernel. */
function releaseOf(): string {
  return execFileSync(PROGRAM, ['--version'], { encoding: 'utf8' }).trim();
}

function start(
  folder: string,
  interfaces: readonly LabInterface[],
  ports: readonly number[],
  ours: number,
  memory: number,
): ChildProcess {
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
    ...interfaces.map(({ mac }, i) => `eth${i}=ucast,${mac},127.0.0.1,${ports[i]},${ours}`),
  ];
  // A process group of its own, so that its end takes its children along.
  return spawn(PROGRAM, words, { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
}

/** The running guest. */
export class KernelDirector implements AsyncDisposable {
  /** Such as 6.1.176. */
  readonly release: string;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #interfaces: readonly LabInterface[];
  readonly #wires: Wires;
  readonly #console: Socket;
  readonly #exited: Promise<void>;
  #log = '';
  #heard = '';
  #waiting: { line: string; done: (ran: Ran) => void; fail: (error: Error) => void } | undefined;
  #commands = 0;
  #inside = false;
  #closed = false;

  constructor(child: ChildProcess, folder: string, interfaces: readonly LabInterface[], wires: Wires, release: string) {
    this.release = release;
    this.#child = child;
    this.#folder = folder;
    this.#interfaces = interfaces;
    this.#wires = wires;
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

  /** Loads modules and names the interfaces; {@link bootDirector} has done so. */
  async boot(modules: readonly string[]): Promise<void> {
    await this.#hearing('boot', BOOT_MS);
    const names = this.#interfaces.map(({ name }, i) => `ip link set eth${i} name ${name}`);
    await this.must(
      [...modules.map((path) => `insmod ${path}`), ...INITIAL_SYSCTLS.map(setSysctl), ...names].join('\n'),
    );
    await this.#setClock();
    await this.renew();
  }

  /** What the guest read at its start may be off by some 100 ms, and so is what is set while the machine is busy. */
  async #setClock(): Promise<void> {
    for (let tries = 0; tries < CLOCK_TRIES; tries++) {
      const at = Date.now();
      await this.must(`date -s @${at / 1000} >/dev/null`);
      if (Date.now() - at < CLOCK_MS) return;
    }
  }

  /**
   * Leaves everything behind that was configured or learnt: addresses, rules, connections, fragments, caches and
   * sysctls. What is new is a network namespace with the interfaces, all down.
   */
  async renew(): Promise<void> {
    // The start of each program takes the guest several ms.
    const pass = (to: string) =>
      `<<END\n${this.#interfaces.map(({ name }) => `link set ${name} netns ${to}`).join('\n')}\nEND`;
    if (this.#inside) {
      await this.must(`ip -batch - ${pass('1')}`);
      await this.#tell('out');
    }
    this.#inside = true;
    await this.#tell('in');
    const loopback = `ip -batch - <<END\nlink set lo up\naddr add ${PROBED}/32 dev lo scope host\nEND`;
    await this.must([...SYSCTLS.map(setSysctl), `nsenter -t 1 -n ip -batch - ${pass('$$')}`, loopback].join('\n'));
  }

  /** Runs a shell script. */
  async run(script: string): Promise<Ran> {
    const name = String(++this.#commands);
    writeFileSync(join(this.#folder, name), `${script}\n`);
    return this.#tell(name);
  }

  /** Runs a shell script up to the first command that fails; what it prints. @throws Error when one failed */
  async must(script: string): Promise<string> {
    const { output, code } = await this.run(`set -e\n${script}`);
    if (code !== 0) throw new Error(`the guest: code ${code} from\n${script}\n${output}`);
    return output;
  }

  /** Gives the kernel a frame. What it sent when it had done with it, in order, of all interfaces. */
  send(inInterface: string, frame: Uint8Array): Promise<Emitted[]> {
    return this.#wires.send({ inInterface, frame });
  }

  /** What the kernel sent since the last frame that was given to it: nothing that a frame caused. */
  spontaneous(): Emitted[] {
    return this.#wires.rest();
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
    this.#wires.close();
    const { pid } = this.#child;
    try {
      // It has nothing to save.
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    this.#console.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The same, and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#exited;
  }

  #tell(line: string): Promise<Ran> {
    const answer = this.#hearing(line, COMMAND_MS);
    this.#console.write(`${line}\n`);
    return answer;
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

const setSysctl = ([path, value]: readonly [string, number | string]) => `echo '${value}' >/proc/sys/${path}`;
