/**
 * The wires of the guest's interfaces: one UDP datagram on loopback for each Ethernet frame.
 *
 * All of the guest's interfaces send to one socket, so that the order of its frames is known across interfaces. After
 * each frame that it is given follows an ARP probe (RFC 5227: nobody learns from it) for an address of the guest's
 * loopback. The kernel handles what came in by one interface in order, so its answer says that it is done with the
 * frame. What comes out of a tunnel is queued behind the probe, and what the host owes itself about that behind the next
 * one: therefore a second one follows the first one's answer, and a third one the second's.
 *
 * @module
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { clock } from './clock.js';
import type { Arrival, Emitted } from './uml.js';

/** The address that probes ask for: the IPv4 dummy address (RFC 7600 §4.8). */
export const PROBED = '192.0.0.8';

const PROBES = 3;
const ANSWER_MS = 30_000;
const BUFFER = 4 << 20;
/** Whose hardware addresses probes have: locally administered, the rest counts. */
const MARK = [0x02, 0xff];

/** Ports of UDP on loopback that nobody uses now. */
export async function freePorts(count: number): Promise<number[]> {
  const sockets = await Promise.all(Array.from({ length: count }, openSocket));
  const ports = sockets.map((socket) => socket.address().port);
  for (const socket of sockets) socket.close();
  return ports;
}

/** A socket of UDP on loopback. */
export async function openSocket(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.setRecvBufferSize(BUFFER);
  return socket;
}

interface Waiting {
  probe: Buffer;
  left: number;
  readonly port: number;
  readonly done: (frames: Emitted[]) => void;
  readonly timer: NodeJS.Timeout;
}

export class Wires {
  readonly #socket: Socket;
  readonly #names: ReadonlyMap<number, string>;
  readonly #ports: ReadonlyMap<string, number>;
  #frames: Emitted[] = [];
  #probes = 0;
  #waiting: Waiting | undefined;

  /** `names`: the guest's interfaces by the ports that they listen on. */
  static async open(names: ReadonlyMap<number, string>): Promise<Wires> {
    return new Wires(await openSocket(), names);
  }

  private constructor(socket: Socket, names: ReadonlyMap<number, string>) {
    this.#socket = socket;
    this.#names = names;
    this.#ports = new Map([...names].map(([port, name]) => [name, port]));
    socket.on('message', (data, from) => this.#receive(data, from));
    // The guest's end of a wire is closed while the interface is down.
    socket.on('error', () => {});
  }

  /** The port that the guest sends to. */
  get port(): number {
    return this.#socket.address().port;
  }

  /** Frames that came after the answer to the last probe. */
  rest(): Emitted[] {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  /** Gives a frame to the guest; all that came out until it was done with it. @throws when it does not answer */
  send({ inInterface, frame }: Arrival): Promise<Emitted[]> {
    const port = this.#ports.get(inInterface);
    if (port === undefined) throw new Error(`the guest has no interface ${inInterface}`);
    if (this.#waiting !== undefined) throw new Error('the guest takes one frame at a time');
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        this.#waiting = undefined;
        fail(new Error(`the guest answers no ARP by ${inInterface}: is it up, has lo ${PROBED}?`));
      }, ANSWER_MS);
      this.#waiting = { probe: this.#probe(), left: PROBES, port, done, timer };
      this.#socket.send(frame, port, '127.0.0.1');
      this.#socket.send(this.#waiting.probe, port, '127.0.0.1');
    });
  }

  close(): void {
    clearTimeout(this.#waiting?.timer);
    this.#socket.close();
  }

  #probe(): Buffer {
    const probe = Buffer.alloc(42);
    probe.fill(0xff, 0, 6);
    probe.set([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1], 12);
    for (const at of [6, 22]) {
      probe.set(MARK, at);
      probe.writeUInt32BE(this.#probes, at + 2);
    }
    this.#probes = (this.#probes + 1) >>> 0;
    probe.set(PROBED.split('.').map(Number), 38);
    return probe;
  }

  #receive(data: Buffer, { port }: RemoteInfo): void {
    const waiting = this.#waiting;
    const outInterface = this.#names.get(port);
    if (outInterface === undefined) return;
    if (waiting === undefined || !isAnswer(data, waiting.probe)) {
      this.#frames.push({ outInterface, time: clock(), data: new Uint8Array(data) });
      return;
    }
    waiting.left--;
    if (waiting.left > 0) {
      waiting.probe = this.#probe();
      this.#socket.send(waiting.probe, waiting.port, '127.0.0.1');
      return;
    }
    clearTimeout(waiting.timer);
    this.#waiting = undefined;
    waiting.done(this.rest());
  }
}

/** Whether `frame` is the ARP reply to `probe`: sent to its hardware address. */
function isAnswer(frame: Buffer, probe: Buffer): boolean {
  return frame.readUInt16BE(12) === 0x0806 && frame.compare(probe, 6, 12, 0, 6) === 0;
}
