/**
 * Why a packet went where it went: its way through the hooks, what was chosen, and which bytes changed.
 *
 * @module
 */
import { changes, type FieldChange, type LinkKind, summary } from './decode.js';
import type { ConnectionInfo, DestInfo, Director, Outcome, ServiceInfo } from './director.js';
import { interfaceOf, isEthernet } from './explain/routes.js';
import { reasonRule } from './explain/rules.js';
import { type WalkStep, walkOf } from './explain/walk.js';
import { type ReasonName, reasonText, type VerdictName } from './reasons.js';
import type { FrameNotes } from './types.js';

export type { FieldChange } from './decode.js';
export type { WalkStep } from './explain/walk.js';

/** What became of a frame: of the offered one, or of one that the director made on its account. */
export interface Fate {
  /** One line about the frame, see `summary` of the decoder. */
  readonly summary: string;
  readonly verdict: VerdictName;
  readonly reason: ReasonName;
  /** The reason in one sentence. */
  readonly text: string;
  /** The RFC, sysctl or rule behind it. */
  readonly rule: string;
  /** Where it leaves, for verdict `forward`. */
  readonly outInterface: string | undefined;
  /** The frame after the core was done with it. */
  readonly frame: Uint8Array;
}

/** The walk of one packet. */
export interface PacketWalk {
  /** Interface it was received on. */
  readonly inInterface: string;
  /** Milliseconds, Unix epoch. */
  readonly now: number;
  /** One line about the frame as it was offered. */
  readonly offered: string;
  readonly steps: readonly WalkStep[];
  readonly fate: Fate;
  /** Fields that the core changed, in the order of the frame. */
  readonly changes: readonly FieldChange[];
  /** The connection after the packet, and whether the packet opened it. */
  readonly connection: (ConnectionInfo & { readonly opened: boolean }) | undefined;
  /** Frames that the director made because of this one: ICMP errors, further pieces of it. */
  readonly made: readonly Fate[];
}

/**
 * Sends one frame through the director and tells its way. The director moves on as by `send`: the connection is made,
 * counters count.
 *
 * @param now milliseconds, Unix epoch
 * @param notes what the frame carries beside its bytes
 */
export function explainPacket(
  director: Director,
  frame: Uint8Array,
  interfaceName: string,
  now: number,
  notes: FrameNotes = {},
): PacketWalk {
  const { network } = director;
  director.advance(now);
  const services = director.services();
  const connections = director.connections(now);
  const sysctl = director.getSysctl();
  const counted = director.counters();
  const [outcome, ...made] = director.send(frame, interfaceName, now, notes);
  if (outcome === undefined) throw new Error('the director gave no outcome');

  const once = outcome.connection === undefined ? onceOf(services, director.services()) : undefined;

  const link = linkOf(director, interfaceName);
  // What leaves starts with the link header of its out interface; what was taken out of a tunnel is bare IP.
  const linkAfter = (one: Outcome): LinkKind => {
    if (one.outInterface !== undefined) return linkOf(director, one.outInterface);
    return one.made || one.decapsulated ? 'raw' : link;
  };
  const { connection } = outcome;
  const connectionsAfter = director.connections(now);
  const counts = director.counters();
  const madeRoom = evictions(counts) > evictions(counted);
  return {
    inInterface: interfaceName,
    now,
    offered: summary(frame, link),
    steps: walkOf({
      network,
      sysctl,
      frame,
      interfaceName,
      mark: notes.mark ?? 0,
      outcome,
      made,
      services,
      connections,
      connectionsAfter,
      evicted: madeRoom ? connections.filter((one) => !connectionsAfter.some((left) => sameConnection(left, one))) : [],
      once,
      lost: counts['client-address-lost'] > counted['client-address-lost'],
    }),
    fate: fateOf(outcome, linkAfter(outcome)),
    changes: changes(frame, outcome.frame, link, linkAfter(outcome)),
    connection: connection && { ...connection, opened: !connections.some((one) => sameConnection(one, connection)) },
    made: made.map((one) => fateOf(one, linkAfter(one))),
  };
}

/** How many connections and templates have made room for others. */
function evictions(counters: Record<ReasonName, bigint>): bigint {
  const names = ['evicted-half-open', 'evicted-closing', 'evicted-datagram', 'evicted-established'] as const;
  return names.reduce((sum, name) => sum + counters[name], 0n);
}

/** The server to which a connection for one packet alone (`-o`) went: it has counted it. */
function onceOf(before: readonly ServiceInfo[], after: readonly ServiceInfo[]): DestInfo | undefined {
  for (const [i, service] of before.entries()) {
    for (const [j, dest] of service.dests.entries()) {
      if (after[i]?.dests[j]?.stats.connections !== dest.stats.connections) return dest;
    }
  }
  return undefined;
}

function linkOf(director: Director, name: string): LinkKind {
  const found = interfaceOf(director.network, name);
  return found === undefined || isEthernet(found) ? 'ether' : 'raw';
}

function fateOf(outcome: Outcome, link: LinkKind): Fate {
  const { verdict, reason, outInterface, frame } = outcome;
  const text = reasonText(reason);
  return { summary: summary(frame, link), verdict, reason, text, rule: reasonRule(reason), outInterface, frame };
}

function sameConnection(a: ConnectionInfo, b: ConnectionInfo): boolean {
  return (
    a.protocol === b.protocol &&
    a.clientAddress === b.clientAddress &&
    a.clientPort === b.clientPort &&
    a.virtualAddress === b.virtualAddress &&
    a.virtualPort === b.virtualPort
  );
}
