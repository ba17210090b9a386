/**
 * A real Linux director: a guest with two interfaces, which is given frames and says what it sends.
 *
 * ```ts
 * await using kernel = await bootDirector();
 * await kernel.must('ip addr add 10.0.0.1/24 dev cli && ip link set cli up');
 * const frames = await kernel.send('cli', frame);
 * ```
 *
 * @module
 */
import { bootGuest, type Guest, type LabInterface, type Ran } from './guest.js';
import { SYSCTLS, setSysctl } from './sysctls.js';
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

/**
 * Boots a director, in a network namespace of its own ({@link KernelDirector.renew}).
 *
 * @throws Error when it is not installed or does not boot; the message says how to install it
 */
export async function bootDirector({ interfaces = INTERFACES, memory }: BootOptions = {}): Promise<KernelDirector> {
  const ports = await freePorts(interfaces.length);
  const wires = await Wires.open(new Map(interfaces.map(({ name }, i) => [ports[i] as number, name])));
  const wired = interfaces.map((one, i) => ({ ...one, port: ports[i] as number, to: wires.port }));
  let guest: Guest | undefined;
  try {
    guest = await bootGuest({ interfaces: wired, ...(memory !== undefined && { memory }) });
    const kernel = new KernelDirector(guest, interfaces, wires);
    await kernel.renew();
    return kernel;
  } catch (error) {
    wires.close();
    guest?.close();
    throw error;
  }
}

/** The running director. */
export class KernelDirector implements AsyncDisposable {
  readonly #guest: Guest;
  readonly #interfaces: readonly LabInterface[];
  readonly #wires: Wires;
  #inside = false;
  #closed = false;

  constructor(guest: Guest, interfaces: readonly LabInterface[], wires: Wires) {
    this.#guest = guest;
    this.#interfaces = interfaces;
    this.#wires = wires;
  }

  /** Such as 6.1.176. */
  get release(): string {
    return this.#guest.release;
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
      await this.#guest.tell('out');
    }
    this.#inside = true;
    await this.#guest.tell('in');
    const loopback = `ip -batch - <<END\nlink set lo up\naddr add ${PROBED}/32 dev lo scope host\nEND`;
    await this.must([...SYSCTLS.map(setSysctl), `nsenter -t 1 -n ip -batch - ${pass('$$')}`, loopback].join('\n'));
  }

  /** Runs a shell script. */
  run(script: string): Promise<Ran> {
    return this.#guest.run(script);
  }

  /** Runs a shell script up to the first command that fails; what it prints. @throws Error when one failed */
  must(script: string): Promise<string> {
    return this.#guest.must(script);
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
    this.#wires.close();
    this.#guest.close();
  }

  /** The same, and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#guest[Symbol.asyncDispose]();
  }
}
