/**
 * What is known of the connections there are, learnt from what the kernel sent.
 *
 * @module
 */
import { type Packet, packetOf } from '../../../src/scenario/packet.js';
import type { Wire } from '../case.js';
import type { Emitted } from '../uml.js';
import type { Method, Protocol, ServiceWorld } from './world.js';

/** A client's packets to a service, and the server that the kernel chose for them. */
export interface Flow {
  readonly protocol: Protocol;
  readonly service: ServiceWorld;
  readonly client: string;
  readonly clientPort: number;
  server: Server | undefined;
  /** The last packet that left to the server, and the last that left to the client, or their first fragments. */
  toServer?: Uint8Array;
  toClient?: Uint8Array;
}

/** Where a flow's packets go. */
export interface Server {
  readonly method: Method;
  /** Address and port that the packets have when they are there. */
  readonly address: string;
  readonly port: number;
  /** The wire that it is on, and the MAC address of the next hop. */
  readonly wire: Wire;
  readonly mac: string;
  /** Address of the tunnel's end. */
  readonly tunnel?: string;
}

const NUMBERS: Record<Protocol, number> = { tcp: 6, udp: 17, sctp: 132 };
/** The oldest is forgotten when there are more. */
const KEPT = 24;

export class Flows {
  readonly #all: Flow[] = [];

  /** Those that have a server. */
  get known(): readonly Flow[] {
    return this.#all.filter(({ server }) => server !== undefined);
  }

  get all(): readonly Flow[] {
    return this.#all;
  }

  /** The flow of these ends, which may be new. */
  of(service: ServiceWorld, client: string, clientPort: number): Flow {
    const { protocol } = service;
    const found = this.#all.find(
      (one) => one.service === service && one.client === client && one.clientPort === clientPort,
    );
    if (found !== undefined) return found;
    const flow: Flow = { protocol, service, client, clientPort, server: undefined };
    this.#all.push(flow);
    if (this.#all.length > KEPT) this.#all.shift();
    return flow;
  }

  /** Hears what the kernel sent because of a packet of the client (`request`) or the server. */
  learn(flow: Flow, direction: 'request' | 'reply', emitted: readonly Emitted[]): void {
    for (const { outInterface, data } of emitted) {
      const packet = packetOf(data);
      if (packet === undefined || (outInterface !== 'cli' && outInterface !== 'srv')) continue;
      if (direction === 'reply') {
        if (packet.src !== flow.service.vip || !isOf(packet, flow.protocol)) continue;
        flow.toClient = packet.whole.slice();
        // What follows are its further fragments.
        return;
      }
      const server = serverOf(flow, packet, outInterface, data);
      if (server === undefined) continue;
      flow.server = server;
      flow.toServer = packet.whole.slice();
      return;
    }
  }
}

function isOf({ protocol, body }: Packet, name: Protocol): boolean {
  return protocol === NUMBERS[name] && body.length >= 4;
}

function serverOf(flow: Flow, packet: Packet, wire: Wire, data: Uint8Array): Server | undefined {
  const mac = Array.from(data.subarray(0, 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
  const { vip, port } = flow.service;
  if (packet.src === flow.client && isOf(packet, flow.protocol)) {
    const to = ((packet.body[2] ?? 0) << 8) | (packet.body[3] ?? 0);
    return { method: packet.dst === vip ? 'dr' : 'nat', address: packet.dst, port: to, wire, mac };
  }
  const isInside = packet.layers.some(({ kind, prefix, fields }) => {
    const source = fields.find(({ name }) => name === `${prefix}ip.src` || name === `${prefix}ipv6.src`);
    return prefix === 'inner.' && (kind === 'ip' || kind === 'ipv6') && source?.value === flow.client;
  });
  return isInside ? { method: 'tun', address: vip, port, wire, mac, tunnel: packet.dst } : undefined;
}
