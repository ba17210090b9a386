/**
 * What is thrown at a director: frames of its own traffic, damaged in a few places, and noise.
 *
 * @module
 */
import type { Outcome } from '../../src/director.js';
import type { NetworkConfig } from '../../src/types.js';
import type { Random } from '../kernel-lab/random.js';
import { Choices } from '../properties/families/choices.js';
import { HOSTS } from '../properties/families/hosts.js';
import type { Step } from '../properties/families/steps.js';
import { arrive, framesOf } from '../properties/families/traffic.js';
import { insideOf, worldOf } from '../properties/families/world.js';
import type { Arrival, Start } from '../properties/twins.js';
import { counting, hex, SYN, tcp, udp } from '../support/packets.js';
import { repairHeader, repairLength, repairTransport } from './repair.js';
import { answerTo } from './shake.js';
import type { Target } from './target.js';

/** Steps of ordinary traffic that a director has seen before. */
const WARM = 160;
const KINDS: readonly Step['kind'][] = [
  ...(['open', 'open', 'open', 'open', 'open', 'open', 'again', 'again', 'again', 'again', 'again', 'again'] as const),
  ...(['error', 'error', 'error', 'error', 'stray', 'stray', 'link', 'ftp', 'ftp', 'ftp', 'ftp'] as const),
];
/** Segments of the director that whoever gets them answers. */
const ANSWERED: ReadonlySet<string> = new Set(['syn-cookie', 'syn-proxied', 'nat64-in']);
/** Enough of one ACK for docs/synproxy.md to call it a storm. */
const STORM = 12;
/** MSS 1460, SACK permitted, timestamps, a window scale of 7. */
const OFFER = hex('020405b4 0402 080a0000000100000000 01 030307');
/** Packets that errors are about. */
const REMEMBERED = 8;

/** Values that are the end of something. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x3f, 0x40, 0x45, 0x60, 0x2c, 0x3a, 4, 41, 47, 17, 6, 132, 50, 51];

export class Attack {
  readonly world: Start;
  readonly #random: Random;
  readonly #pool: Arrival[] = [];
  #now = 1_700_000_000_000;

  constructor(random: Random) {
    this.#random = random;
    this.world = translated(proxied(worldOf(this.#choices(200)), random), random);
  }

  /** Ordinary traffic, which opens connections; what it was is damaged later. */
  warm(target: Target): void {
    let seen: Uint8Array[] = [];
    const inside = insideOf(this.world.services.map(({ service, dests }) => ({ ...service, dests })));
    for (let i = 0; i < WARM; i++) {
      const { network } = this.world;
      const context = { network, connections: target.director.connections(this.#now), seen, inside };
      for (const arrival of framesOf(this.#random.of(KINDS), this.#choices(40), context)) {
        this.#pool.push(arrival);
        const sent = target.director.send(arrival.frame, arrival.inInterface, this.#now, arrival.notes);
        this.#shake(target, sent);
        const packets = sent.flatMap(({ verdict, frame, outInterface }) =>
          verdict === 'forward' ? [packetOf(frame, outInterface, network)] : [],
        );
        seen = [...packets, ...seen].slice(0, REMEMBERED);
      }
    }
    for (const packet of [...this.#requests64(), ...this.#offers()])
      this.#talk(target, arrive(this.world.network, 'cli', packet));
  }

  /** What opens connections of IPv6 to servers of IPv4. */
  #requests64(): Uint8Array[] {
    const source = HOSTS[6].clients[0]!;
    return this.world.services.flatMap(({ service, dests }) => {
      if ('fwmark' in service || !service.address.includes(':') || service.protocol === 'sctp') return [];
      if (!dests.some(({ method, address }) => method === 'fullnat' && !address.includes(':'))) return [];
      const words = { source, destination: service.address, dport: service.port, payload: counting(20) };
      const make = service.protocol === 'tcp' ? tcp : udp;
      return [1, 2, 3, 4].map((sport) => make({ ...words, sport }));
    });
  }

  /** SYNs to services behind a SYN proxy, with all that a client can offer. */
  #offers(): Uint8Array[] {
    return this.world.services.flatMap(({ service }) => {
      if (service.synproxy !== true || 'fwmark' in service) return [];
      const source = HOSTS[service.address.includes(':') ? 6 : 4].clients[0]!;
      const words = { source, destination: service.address, dport: service.port, flags: SYN, tcpOptions: OFFER };
      return [1, 2, 3, 4].map((n) => tcp({ ...words, sport: 50_000 + n }));
    });
  }

  /** A packet, its answer, and errors about both. */
  #talk(target: Target, arrival: Arrival): void {
    const sent = target.director.send(arrival.frame, arrival.inInterface, this.#now);
    this.#pool.push(arrival);
    this.#shake(target, sent);
    for (const { verdict, frame, outInterface } of sent) {
      if (verdict !== 'forward') continue;
      const seen = [packetOf(frame, outInterface, this.world.network)];
      const context = { network: this.world.network, connections: [], seen, inside: [] };
      for (let i = 0; i < 4; i++) this.#pool.push(...framesOf('error', this.#choices(40), context));
    }
  }

  /**
   * Answers cookies and what comes of that, and what NAT64 asks of servers, mostly; servers do without options now and then.
   * Those answers are damaged later, too.
   */
  #shake(target: Target, sent: readonly Outcome[]): void {
    for (const { reason, frame, outInterface } of sent) {
      if (!ANSWERED.has(reason)) continue;
      const packet = packetOf(frame, outInterface, this.world.network);
      const answer = answerTo(frame, frame.length - packet.length, this.#random.once(8));
      const inInterface = parentOf(outInterface!, this.world.network);
      this.#pool.push({ frame: answer, inInterface });
      // Some answers come later.
      if (!this.#random.once(8)) this.#shake(target, target.director.send(answer, inInterface, this.#now));
    }
  }

  /** The time of the next burst, ms. */
  later(): number {
    this.#now += this.#random.weighted([
      [12, 1],
      [4, 1000],
      [2, 61_000],
      [1, 901_000],
    ]);
    return this.#now;
  }

  /** Frames of a burst. */
  burst(count: number): Arrival[] {
    const frames: Arrival[] = [];
    while (frames.length < count) {
      const isStorm = this.#random.once(200) && this.#pool.length > 0;
      frames.push(...(isStorm ? Array<Arrival>(STORM).fill(this.#random.of(this.#pool)) : [this.#frame()]));
    }
    return frames.slice(0, count);
  }

  #frame(): Arrival {
    const random = this.#random;
    if (random.once(20) || this.#pool.length === 0)
      return { frame: random.bytes(random.below(200)), inInterface: 'cli' };
    const { frame, inInterface, notes } = random.of(this.#pool);
    // Shorter now and then; never longer than it was.
    const isCut = random.once(8);
    const copy = frame.slice(0, isCut ? random.below(frame.length + 1) : frame.length);
    const link = random.once(30) ? 0 : linkLength(frame);
    for (let left = random.of([0, 1, 1, 2, 3]); left > 0 && copy.length > link; left--) {
      // Headers more than payload.
      const at = link + random.below(random.once(4) ? copy.length - link : Math.min(copy.length - link, 100));
      copy[at] = random.once(2) ? random.of(EDGES) : random.below(256);
    }
    const packet = copy.subarray(link);
    if (isCut && random.once(2)) repairLength(packet);
    // Frames whose checksum is the card's to fill in come as they are.
    if (random.once(2) && !notes?.partialChecksum) repairTransport(packet);
    if (!random.once(20)) repairHeader(packet);
    const elsewhere = random.once(20) ? random.of(this.world.network.interfaces).name : inInterface;
    return { frame: copy, inInterface: elsewhere, ...(notes && { notes }) };
  }

  #choices(count: number): Choices {
    return new Choices(Array.from({ length: count }, () => this.#random.below(0x1_0000)));
  }
}

/** Bytes in front of the packet, as long as nothing is damaged. */
function linkLength(frame: Uint8Array): number {
  if (frame[0] !== 2) return 0;
  return frame[12] === 0x81 ? 18 : 14;
}

/** Services of TCP behind a SYN proxy, some, with dests by NAT and FullNAT. */
function proxied(world: Start, random: Random): Start {
  const services = world.services.map(({ service, dests }) => {
    const mayBe = !('fwmark' in service) && service.protocol === 'tcp' && random.once(2);
    return mayBe
      ? {
          service: { ...service, synproxy: true },
          dests: dests.map(({ tunnel: _, method, ...dest }) => ({
            ...dest,
            method: method === 'fullnat' ? ('fullnat' as const) : ('nat' as const),
          })),
        }
      : { service, dests };
  });
  const sysctl = {
    ...world.sysctl,
    synproxy_defer: random.once(4) ? 1 : 0,
    synproxy_retries: random.below(4),
    conn_expire_tcp_rst: random.below(2),
  };
  return { ...world, services, sysctl };
}

/** Servers of IPv4 behind services of IPv6, some. */
function translated(world: Start, random: Random): Start {
  const services = world.services.map(({ service, dests }) => {
    const isV6 = 'fwmark' in service ? service.family === 6 : service.address.includes(':');
    const isOther = service.ops || dests.some(({ method }) => method === 'snat');
    if (!isV6 || isOther || service.carry === 'uoa-protocol' || random.once(3)) return { service, dests };
    const localAddresses = [...new Set([...HOSTS[4].locals.slice(0, 2), ...(service.localAddresses ?? [])])];
    const servers = HOSTS[4].servers.slice(0, 2 * dests.length);
    return {
      service: { ...service, localAddresses },
      dests: dests.map((dest, i) => {
        const { tunnel: _, ...rest } = dest;
        const address = servers[i];
        if (address === undefined || dests.some((other) => other.address === address) || random.once(4)) return dest;
        return { ...rest, address, method: 'fullnat' as const };
      }),
    };
  });
  return { ...world, services };
}

/** The interface that frames with an interface's tag come in by. */
function parentOf(name: string, { interfaces }: NetworkConfig): string {
  return interfaces.find((each) => each.name === name)?.vlan?.parent ?? name;
}

function packetOf(frame: Uint8Array, out: string | undefined, { interfaces }: NetworkConfig): Uint8Array {
  const { kind, vlan } = interfaces.find(({ name }) => name === out) ?? {};
  return frame.slice(kind === 'raw' ? 0 : vlan === undefined ? 14 : 18);
}
