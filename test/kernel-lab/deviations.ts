/**
 * Differences that docs/deviations.md lists and that cases may run into, by name.
 *
 * @module
 */
import type { SentFrame } from '../../src/scenario/compare.js';
import { packetOf } from '../../src/scenario/packet.js';
import type { Done } from './case.js';

const ICMP = 1;

interface Deviation {
  readonly name: string;
  accounts(done: Done, sent: readonly SentFrame[]): boolean;
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
];

function headerLength(packet: Uint8Array): number {
  return ((packet[0] ?? 0) & 15) * 4;
}

/** The name of the deviation that explains why the core sent something else; `undefined`: none does. */
export function accountFor(done: Done, sent: readonly SentFrame[]): string | undefined {
  return DEVIATIONS.find((one) => one.accounts(done, sent))?.name;
}
