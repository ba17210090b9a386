/**
 * What the kinds of traffic share: the world, the flows in it, and frames on its wires.
 *
 * @module
 */
import { addressBytes } from '../../../src/address.js';
import type { Step, Wire } from '../case.js';
import type { Random } from '../random.js';
import { ether, isSix } from './bytes.js';
import { type Flow, Flows } from './flows.js';
import { HOSTS, MACS, MARK_MAC, type ServiceWorld, type World } from './world.js';

/** A step, and the flow that the kernel's answer says more about. */
export interface Move {
  readonly step: Step;
  readonly flow?: Flow;
  readonly direction?: 'request' | 'reply';
}

/** A kind of traffic: how often it is chosen, and what it sends; nothing when the world has no place for it. */
export interface Kind {
  readonly weight: number;
  make(context: Context): readonly Move[];
}

/** MAC addresses of hosts that are neighbours. */
const CLIENT_MAC = '02:00:00:00:00:02';
const SERVER_MAC = '02:00:00:00:01:11';

export class Context {
  readonly random: Random;
  readonly world: World;
  readonly flows = new Flows();

  constructor(random: Random, world: World) {
    this.random = random;
    this.world = world;
  }

  /** One of the families that the director has. */
  family(): 4 | 6 {
    return this.random.of(this.world.families);
  }

  client(family: 4 | 6): string {
    const { clients } = HOSTS[family];
    return this.random.once(4) ? this.random.of(clients) : this.random.of(clients.slice(0, 3));
  }

  service(): ServiceWorld | undefined {
    const { services } = this.world;
    return services.length === 0 ? undefined : this.random.of(services);
  }

  /** A known flow, the newest more often. */
  flow(): Flow | undefined {
    const { known } = this.flows;
    if (known.length === 0) return undefined;
    return this.random.once(2) ? known.at(-1) : this.random.of(known);
  }

  /** A packet on a wire, addressed to the director's MAC; `from`: the sender's, by default a neighbour's. */
  frame(inInterface: Wire, packet: Uint8Array, label: string, from?: string): Step {
    const { random } = this;
    const padding = random.once(6) ? random.of([1, 2, 6, 20, 46]) : 0;
    const bytes = new Uint8Array(packet.length + padding).fill(0xee);
    bytes.set(packet);
    const sender = from ?? (inInterface === 'cli' ? this.#senderOf(packet) : SERVER_MAC);
    // A tag of VLAN 0 has a priority alone (IEEE 802.1Q §9.6).
    const tag = random.once(30) ? random.below(16) << 12 : undefined;
    // The type is that of the address family, whatever the packet's version is.
    const frame = ether(MACS[inInterface], sender, bytes, undefined, tag);
    return { kind: 'frame', inInterface, frame, label };
  }

  /**
   * A client: one whose frames have a mark where its service is by mark. What it sends there without one, and what errors say of that, is
   * taken for others' (docs/deviations.md).
   */
  #senderOf(packet: Uint8Array): string {
    const marked = this.world.services.filter(({ mark }) => mark !== undefined);
    if (marked.length === 0) return CLIENT_MAC;
    const isTo = marked.some(({ vip }) => {
      const { bytes: to } = addressBytes(vip);
      const at = isSix(vip) ? 24 : 16;
      return Buffer.compare(packet.subarray(at, at + to.length), to) === 0;
    });
    return isTo || this.random.once(12) ? MARK_MAC : CLIENT_MAC;
  }
}

/** The ends of a packet of a flow's client. */
export function requestEnds({ service, client, clientPort, protocol }: Flow) {
  return { protocol, source: client, destination: service.vip, sport: clientPort, dport: service.port };
}

/** The ends of a packet of its server, as they are on the server's wire: by NAT from its own address, else from the VIP. */
export function replyEnds({ server, client, clientPort, protocol }: Flow) {
  if (server === undefined) return undefined;
  return { protocol, source: server.address, destination: client, sport: server.port, dport: clientPort };
}

export { isSix };
