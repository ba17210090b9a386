/**
 * A SYN flood in simulated time: SYNs from random sources that nobody answers for, beside established connections that keep
 * talking, and clients that come among them.
 *
 * @module
 */
import { type DirectorOptions, EVICT_NAMES, type EvictName } from '../../src/director.js';
import type { ReasonName } from '../../src/reasons.js';
import type { SysctlConfig } from '../../src/types.js';
import { Random } from '../kernel-lab/random.js';
import { ACK, SYN, Wire } from './wire.js';

export interface Siege {
  readonly evict: EvictName;
  readonly sysctl: SysctlConfig;
  /** Room of the table. */
  readonly connections: number;
  /** Established connections. */
  readonly residents: number;
  readonly syns: number;
  /** SYNs in a millisecond. */
  readonly rate: number;
  /** Milliseconds between two clients that come. */
  readonly newcomerEvery: number;
  readonly seed: number;
  readonly wasm?: DirectorOptions['wasm'];
}

export interface Toll {
  /** Residents whose segment, or whose server's, did not get through. */
  readonly lost: number;
  readonly newcomers: number;
  /** Of these, who were established after their first SYN, and at all. */
  readonly atOnce: number;
  readonly gotIn: number;
  readonly counters: Record<ReasonName, bigint>;
  /** Connections at the end, and the most at any second. */
  readonly left: number;
  readonly most: number;
}

/** A resident says something as often, ms; its server answers. */
const TALK_EVERY = 5000;
/** From a segment to its answer, ms. */
const ROUND_TRIP = 40;
/** When a client sends its SYN again, ms after the first (RFC 6298 §5.5: doubled from a second on). */
const AGAIN = [1000, 3000];
/** First clients that live long, and those that come. */
const [RESIDENTS, NEWCOMERS] = [0xc612_0000, 0xc613_0000];
const PORT = 40_000;

interface Client {
  readonly address: number;
  server: number;
  lost: boolean;
}

/** Lets it come over a director. */
export function besiege(siege: Siege): Toll {
  const { evict, sysctl, connections, wasm, seed } = siege;
  const plan = { connections, connections6: 1, arenaBytes: 1 << 18 };
  const wire = new Wire({ plan, evict, sysctl, seed: BigInt(seed), ...(wasm !== undefined && { wasm }) });
  const random = new Random(seed);
  const residents = Array.from({ length: siege.residents }, (_, i): Client => enter(wire, RESIDENTS + i));
  const newcomers: { tries: number; isIn: boolean }[] = [];
  const later = new Map<number, (() => void)[]>();
  const duration = Math.ceil(siege.syns / siege.rate);
  let left = siege.syns;
  let most = 0;
  let now = 0;

  const after = (delay: number, act: () => void): void => {
    const list = later.get(now + delay);
    if (list === undefined) later.set(now + delay, [act]);
    else list.push(act);
  };

  /** A client's SYN; the rest of the handshake as long as all gets through. */
  const knock = (address: number, newcomer: { tries: number; isIn: boolean }): void => {
    newcomer.tries++;
    wire.fromClient(address, PORT, SYN, (server) => {
      if (server === 0) return;
      const answer = (flags: number, then: () => void) => () =>
        wire.fromServer(server, address, PORT, flags, (to) => to === address && then());
      const confirm = answer(ACK, () => {
        newcomer.isIn = true;
      });
      const acknowledge = () => wire.fromClient(address, PORT, ACK, (to) => to === server && after(1, confirm));
      after(
        1,
        answer(SYN | ACK, () => after(ROUND_TRIP, acknowledge)),
      );
    });
  };

  const arrive = (): void => {
    const address = NEWCOMERS + newcomers.length;
    const newcomer = { tries: 0, isIn: false };
    newcomers.push(newcomer);
    knock(address, newcomer);
    for (const delay of AGAIN) after(delay, () => newcomer.isIn || knock(address, newcomer));
  };

  for (now = 1; now <= duration + AGAIN.at(-1)! + 100; now++) {
    wire.at(now);
    for (const act of later.get(now) ?? []) act();
    later.delete(now);
    for (let i = now % TALK_EVERY; i < residents.length; i += TALK_EVERY) talk(wire, residents[i]!);
    if (now <= duration && now % siege.newcomerEvery === 0) arrive();
    // Unicast addresses that are nobody's here.
    for (let i = 0; i < siege.rate && left > 0; i++, left--) {
      wire.fromClient(((11 + random.below(100)) << 24) | random.below(1 << 24), 1024 + random.below(60_000), SYN);
    }
    if (now % 1000 === 0) most = Math.max(most, wire.director.connectionCount);
  }
  wire.flush();
  for (const resident of residents) talk(wire, resident);
  wire.flush();
  return {
    lost: residents.filter(({ lost }) => lost).length,
    newcomers: newcomers.length,
    atOnce: newcomers.filter(({ tries, isIn }) => isIn && tries === 1).length,
    gotIn: newcomers.filter(({ isIn }) => isIn).length,
    counters: wire.director.counters(),
    left: wire.director.connectionCount,
    most,
  };
}

/** A connection that is established. */
function enter(wire: Wire, address: number): Client {
  const client: Client = { address, server: 0, lost: false };
  wire.fromClient(address, PORT, SYN, (server) => {
    client.server = server;
  });
  wire.flush();
  wire.fromServer(client.server, address, PORT, SYN | ACK);
  talk(wire, client);
  wire.flush();
  return client;
}

/** A word and its answer, which must get to where the connection leads. */
function talk(wire: Wire, client: Client): void {
  wire.fromClient(client.address, PORT, ACK, (to) => {
    client.lost ||= to !== client.server;
  });
  wire.fromServer(client.server, client.address, PORT, ACK, (to) => {
    client.lost ||= to !== client.address;
  });
}

/** Every policy, with each of the switches off and automatic. */
export function strategies(): { evict: EvictName; sysctl: Required<Pick<SysctlConfig, (typeof SWITCHES)[number]>> }[] {
  return EVICT_NAMES.flatMap((evict) =>
    Array.from({ length: 1 << SWITCHES.length }, (_, bits) => ({
      evict,
      sysctl: { secure_tcp: bits & 1, drop_entry: (bits >> 1) & 1, drop_packet: (bits >> 2) & 1 },
    })),
  );
}

export const SWITCHES = ['secure_tcp', 'drop_entry', 'drop_packet'] as const;
