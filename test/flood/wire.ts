/**
 * TCP segments by the million into a director, as bare IP packets in bursts of the same moment.
 *
 * @module
 */
import { Verdict } from '../../src/abi/verdict.js';
import { Director, type DirectorOptions } from '../../src/director.js';

const VIP = 0x0a00_0064;
const PORT = 80;
const SERVER_PORT = 8080;
const SERVERS = ['10.1.0.11', '10.1.0.12', '10.1.0.13', '10.1.0.14'];
const LENGTH = 40;

export const [SYN, ACK] = [2, 16];

/**
 * What became of a segment. `to`: the server that a client's got to; that client, when a server's got there from the service
 * that it called; else 0.
 */
export type Told = (to: number) => void;

/** A segment that is sent: a client's to the service, or a server's to its client. */
export interface Sent {
  readonly client: number;
  readonly server?: number;
  readonly port: number;
  readonly flags: number;
  readonly number: number;
  readonly acknowledged: number;
}

/** What became of it: the segment that left in its place. */
export interface Left {
  readonly verdict: number;
  readonly reason: number;
  readonly to: number;
  readonly flags: number;
  readonly number: number;
  readonly acknowledged: number;
  /** Whether both checksums are right, and so is its length. */
  readonly isIntact: boolean;
}

/** A director with a NAT service, and the way in and out of it. */
export class Wire {
  readonly director: Director;
  readonly #view: DataView;
  #waiting: { index: number; told: Told }[] = [];
  #heard: { index: number; told: (left: Left) => void }[] = [];
  #now = 0;

  constructor(options: Pick<DirectorOptions, 'plan' | 'sysctl' | 'evict' | 'seed' | 'wasm'>, synproxy = false) {
    const raw = (name: string, ...addresses: string[]) => ({ name, kind: 'raw' as const, addresses });
    this.director = Director.createSync({
      ...options,
      network: {
        interfaces: [raw('cli', '10.0.0.1/24', '10.0.0.100/32'), raw('srv', '10.1.0.1/24')],
        routes: [{ dst: 'default', dev: 'cli', gateway: '10.0.0.2' }],
      },
    });
    const web = { protocol: 'tcp', address: '10.0.0.100', port: PORT } as const;
    this.director.addService({ ...web, scheduler: 'rr', synproxy });
    for (const address of SERVERS) this.director.addDest(web, { address, port: SERVER_PORT, method: 'nat' });
    const { buffer, byteOffset, byteLength } = this.director.burst.bytes;
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  /** Time goes on; segments of the moment before are judged. */
  at(now: number): void {
    this.flush();
    this.#now = now;
  }

  /** Of a client to the service. */
  fromClient(client: number, port: number, flags: number, told?: Told): void {
    this.#put(0, client, VIP, (port << 16) | PORT, flags, told);
  }

  /** Of a server to a client. */
  fromServer(server: number, client: number, port: number, flags: number, told?: Told): void {
    this.#put(1, server, client, (SERVER_PORT << 16) | port, flags, told);
  }

  /** A segment with numbers, whose checksum is left to the network card; `told` hears what became of it. */
  segment(
    by: 0 | 1,
    { client, server = 0, port, flags, number, acknowledged }: Sent,
    told: (left: Left) => void,
  ): void {
    const ports = by === 0 ? (port << 16) | PORT : (SERVER_PORT << 16) | port;
    const [source, destination] = by === 0 ? [client, VIP] : [server, client];
    const at = this.#write(by, source, destination, ports, flags);
    this.#view.setUint32(at + 24, number);
    this.#view.setUint32(at + 28, acknowledged);
    this.#heard.push({ index: this.director.burst.commit(LENGTH, 0, 0, true), told });
  }

  #put(by: number, source: number, destination: number, ports: number, flags: number, told: Told | undefined): void {
    this.#write(by, source, destination, ports, flags);
    const index = this.director.burst.commit(LENGTH);
    if (told !== undefined) this.#waiting.push({ index, told });
  }

  #write(by: number, source: number, destination: number, ports: number, flags: number): number {
    const { burst } = this.director;
    if (burst.full) this.flush();
    const at = burst.reserveAt(LENGTH, by);
    const view = this.#view;
    view.setUint32(at, 0x4500_0000 | LENGTH);
    view.setUint32(at + 4, 0);
    view.setUint32(at + 8, 0x4006_0000);
    view.setUint32(at + 12, source);
    view.setUint32(at + 16, destination);
    let sum = 0x4500 + LENGTH + 0x4006;
    for (const address of [source, destination]) sum += (address >>> 16) + (address & 0xffff);
    sum = (sum >>> 16) + (sum & 0xffff);
    view.setUint16(at + 10, ~(sum + (sum >>> 16)));
    view.setUint32(at + 20, ports);
    view.setUint32(at + 24, 0);
    view.setUint32(at + 28, 0);
    view.setUint32(at + 32, 0x5000_ffff | (flags << 16));
    view.setUint32(at + 36, 0);
    return at;
  }

  /** Judges what waits. */
  flush(): void {
    const { burst } = this.director;
    if (burst.length === 0) return;
    this.director.process(this.#now);
    const judged = this.#waiting.map(({ index, told }) => {
      const at = burst.address(index);
      const isForward = burst.verdict(index) === Verdict.Forward;
      const isReply = this.#view.getUint16(at + 22) !== SERVER_PORT;
      const isWhole = isForward && (!isReply || this.#view.getUint32(at + 12) === VIP);
      return { told, to: isWhole ? this.#view.getUint32(at + 16) : 0 };
    });
    const heard = this.#heard.map(({ index, told }) => ({ told, left: this.#left(index) }));
    this.#waiting = [];
    this.#heard = [];
    burst.reset();
    for (const { told, to } of judged) told(to);
    for (const { told, left } of heard) told(left);
  }

  #left(index: number): Left {
    const { burst } = this.director;
    const view = this.#view;
    const at = burst.address(index);
    const length = burst.frameLength(index);
    const sum = (from: number, to: number, start: number): number => {
      let total = start;
      for (let p = from; p < to; p += 2) total += view.getUint16(p);
      total = (total & 0xffff) + (total >>> 16);
      return (total & 0xffff) + (total >>> 16);
    };
    const isIntact =
      view.getUint16(at + 2) === length &&
      sum(at, at + 20, 0) === 0xffff &&
      sum(at + 12, at + length, 6 + length - 20) === 0xffff;
    return {
      verdict: burst.verdict(index),
      reason: burst.reason(index),
      to: view.getUint32(at + 16),
      flags: view.getUint8(at + 33),
      number: view.getUint32(at + 24),
      acknowledged: view.getUint32(at + 28),
      isIntact,
    };
  }
}
