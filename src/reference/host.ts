/**
 * What all parts of the director work on, and the words in which they judge a packet.
 *
 * @module
 */
import type { ConnectionTable } from './connections.js';
import type { Defence } from './defence.js';
import type { EcnMode } from './ecn.js';
import type { Key } from './fullnat/numbers.js';
import type { LocalPorts } from './fullnat/pools.js';
import type { Interface, Network } from './network.js';
import type { Family } from './packet/address.js';
import type { IpPacket } from './packet/ip.js';
import type { Unfinished } from './packet/partial.js';
import type { PathMtus } from './path-mtu.js';
import type { Random } from './random.js';
import type { Arrival, Reassembler } from './reassembly.js';
import type { Records } from './records.js';
import type { ServiceTable } from './services.js';
import type { Kept } from './synproxy/kept.js';
import type { TemplateTable } from './templates.js';
import type { ReferenceOutcome, ReferenceSysctl } from './types.js';

/** The director's tables and switches. */
export interface Host {
  network: Network;
  sysctl: Required<ReferenceSysctl>;
  readonly ecn: EcnMode;
  readonly services: ServiceTable;
  readonly connections: ConnectionTable;
  readonly templates: TemplateTable;
  readonly records: Records;
  readonly defence: Defence;
  readonly paths: PathMtus;
  readonly random: Random;
  readonly localPorts: LocalPorts;
  readonly key: Key;
  /** When the packet that is judged came, milliseconds since the Unix epoch. */
  now: number;
  /** Fragments that wait; with the first of a datagram all that is known of it. */
  readonly reassembly: Reassembler<Received>;
  /** The next IP identification of a packet that the director makes. */
  nextIdentification(): number;
  /** The next identification of an IPv6 datagram that the director cuts. */
  nextFragmentIdentification(): number;
}

/** A packet that the host took in: link header off, faults ruled out, options filled in. */
export interface Received {
  packet: IpPacket;
  interface: Interface;
  /** Link header as it came. */
  link: Uint8Array;
  /** IPv4 options as they came. */
  givenOptions: Uint8Array;
  /** Slots within the options that forwarding fills again. */
  addressSlots: number[];
  /** Whether it came out of a tunnel that ended here. */
  decapsulated: boolean;
  /** Firewall mark; 0: none. */
  mark: number;
  /** Whether the transport checksum, or another one, is only begun. */
  partialChecksum: Unfinished;
  /** How the datagram came, if in fragments. */
  arrival: Arrival | undefined;
  /** Whether it is on its way through, its hop counted. */
  isRouted?: boolean;
  /** Milliseconds since the Unix epoch. */
  now: number;
}

/** What becomes of a packet. */
export interface Judgement {
  verdict: 'forward' | 'local' | 'pass' | 'drop' | 'held';
  reason: string;
  outInterface?: string;
  /** The frame, where it is another one than came. */
  frame?: Uint8Array;
  /** Whether the transport checksum of the frame is only begun, where that is not as it came. */
  partialChecksum?: boolean;
  /** Frames that the director made because of this one. */
  made?: ReferenceOutcome[];
  /** Packets that were kept until now, and come again. */
  again?: readonly Kept[];
}

/** Whether IPVS looks at packets of a family. */
export function watches({ services, connections }: Host, family: Family): boolean {
  return services.any(family) || (family === 4 && connections.hasNat64());
}

/** Drop; `answer` is the ICMP error about it, if one could be sent. */
export function drop(reason: string, answer?: ReferenceOutcome): Judgement {
  return answer === undefined ? { verdict: 'drop', reason } : { verdict: 'drop', reason, made: [answer] };
}

/** To the host's own stack. */
export function local(reason: string): Judgement {
  return { verdict: 'local', reason };
}

/** Not the director's business. */
export function pass(reason: string): Judgement {
  return { verdict: 'pass', reason };
}
