/**
 * The Ethernet between the hosts: a datagram of UDP on loopback for each frame of a guest. Frames may be lost, sent twice or
 * overtaken as they leave a guest, so that each way has that once.
 *
 * @module
 */
import type { Socket } from 'node:dgram';
import type { Random } from '../random.js';
import { openSocket } from '../wires.js';

/** How often, 0 to 1. */
export interface Impairment {
  readonly loss: number;
  readonly reorder: number;
  readonly duplicate: number;
}

/** Takes the frames for a MAC address. */
export type Deliver = (frame: Uint8Array) => void;

/** How many frames overtake one at most, and how long it waits if fewer come, ms. */
const OVERTAKEN = 4;
const WAITS_MS = 5;

/** A frame that others overtake. */
interface Held {
  left: number;
  readonly frame: Uint8Array;
}

export class Switch {
  readonly #socket: Socket;
  readonly #impairment: Impairment;
  readonly #random: Random;
  readonly #ports = new Map<string, Deliver>();
  readonly #held = new Set<Held>();
  #counts = { frames: 0, lost: 0, overtaken: 0, duplicated: 0 };

  static async open(impairment: Impairment, random: Random): Promise<Switch> {
    return new Switch(await openSocket(), impairment, random);
  }

  private constructor(socket: Socket, impairment: Impairment, random: Random) {
    this.#socket = socket;
    this.#impairment = impairment;
    this.#random = random;
    socket.on('message', (data) => this.#receive(data));
    // A guest's end is closed while its interface is down.
    socket.on('error', () => {});
  }

  /** The port of UDP that guests send to. */
  get port(): number {
    return this.#socket.address().port;
  }

  /** What came from guests since it was asked last. */
  counts(): Readonly<Record<'frames' | 'lost' | 'overtaken' | 'duplicated', number>> {
    const counts = this.#counts;
    this.#counts = { frames: 0, lost: 0, overtaken: 0, duplicated: 0 };
    return counts;
  }

  /** Connects a host. */
  connect(mac: string, deliver: Deliver): void {
    this.#ports.set(mac, deliver);
  }

  /** Connects a guest that listens on a port of UDP; `heard` is told of each frame to it. */
  connectGuest(mac: string, port: number, heard: Deliver): void {
    this.connect(mac, (frame) => {
      heard(frame);
      this.#socket.send(frame, port, '127.0.0.1');
    });
  }

  /** Brings a frame to where it belongs. */
  send(frame: Uint8Array): void {
    const mac = Buffer.from(frame.subarray(0, 6)).toString('hex').replace(/..\B/g, '$&:');
    // Multicast is for nobody: there are no questions here, as all neighbours are known.
    this.#ports.get(mac)?.(frame);
  }

  close(): void {
    this.#held.clear();
    this.#ports.clear();
    this.#socket.close();
  }

  #receive(data: Buffer): void {
    const { loss, reorder, duplicate } = this.#impairment;
    const counts = this.#counts;
    counts.frames++;
    if (this.#happens(loss)) {
      counts.lost++;
    } else if (this.#happens(reorder)) {
      counts.overtaken++;
      const held = { left: 1 + this.#random.below(OVERTAKEN), frame: data };
      this.#held.add(held);
      setTimeout(() => this.#release(held), WAITS_MS);
      return;
    } else {
      this.send(data);
      if (this.#happens(duplicate)) {
        counts.duplicated++;
        this.send(data);
      }
    }
    for (const held of this.#held) if (--held.left <= 0) this.#release(held);
  }

  #release(held: Held): void {
    if (this.#held.delete(held)) this.send(held.frame);
  }

  #happens(rate: number): boolean {
    return rate > 0 && this.#random.word() < rate * 0x1_0000_0000;
  }
}
