/**
 * Differences that docs/deviations.md lists and that cases may run into, by name.
 *
 * @module
 */
import type { SentFrame } from '../../src/scenario/compare.js';
import { fieldOf, packetOf } from '../../src/scenario/packet.js';
import type { Done } from './case.js';

const ICMP = 1;

interface Deviation {
  readonly name: string;
  accounts(done: Done, sent: readonly SentFrame[], own: ReadonlySet<string>): boolean;
}

const DEVIATIONS: readonly Deviation[] = [
  {
    // An answer of ours carries no IP options.
    name: 'answers without options',
    accounts({ emitted }, sent) {
      const theirs = emitted.map(({ data }) => packetOf(data));
      const answered = theirs.some(
        (one) => one?.version === 4 && one.protocol === ICMP && headerLength(one.whole) > 20,
      );
      return answered && sent.some(({ packet }) => packet.made);
    },
  },
  {
    // An ICMP error that the kernel owes itself goes through its own input, and from there to a server.
    name: 'errors to itself',
    accounts({ step, emitted }, sent, own) {
      const cause = step.kind === 'frame' ? packetOf(step.frame) : undefined;
      // Also of what was in a tunnel.
      const sources = cause?.layers.map((layer) => fieldOf(layer, `${layer.kind}.src`)) ?? [];
      if (!sources.some((source) => source !== undefined && own.has(source)) || sent.length > 0) return false;
      return emitted.some(({ data }) =>
        packetOf(data)?.layers.some(({ kind }) => kind === 'icmp' || kind === 'icmpv6'),
      );
    },
  },
  {
    // Linux sums an ICMPv6 error of a server without the pseudo-header, and drops it unless something verified it before:
    // connection tracking, as in the captures, or the network card.
    name: 'unverified ICMPv6 errors',
    accounts({ emitted }, sent) {
      const isOut = ({ packet, data }: SentFrame) => packet.reason === 'icmp-out' && packetOf(data)?.version === 6;
      return emitted.length === 0 && sent.length > 0 && sent.every(isOut);
    },
  },
];

function headerLength(packet: Uint8Array): number {
  return ((packet[0] ?? 0) & 15) * 4;
}

/** The name of the deviation that explains why the core sent something else; `undefined`: none does. `own`: the director's addresses. */
export function accountFor(done: Done, sent: readonly SentFrame[], own: ReadonlySet<string>): string | undefined {
  return DEVIATIONS.find((one) => one.accounts(done, sent, own))?.name;
}
