/**
 * What the kernel says when it has waited in vain: for a next hop, host unreachable some seconds after the packet; for the rest of
 * a datagram, time exceeded.
 *
 * @module
 */
import { packetOf } from '../../src/scenario/packet.js';
import type { Replay } from '../../src/scenario/replay.js';
import { ICMP, ICMP6 } from './generate/bytes.js';
import { type Identity, identitiesIn, isSame } from './identity.js';

/**
 * ns: it asks three times, a second apart; the machine may be busy. There is no shortest time: it may be about to give the
 * next hop up when the packet comes, having asked for an answer of its own host.
 */
const LONGEST = 15_000_000_000n;

/** A packet that the kernel keeps while it looks for the next hop. */
interface Kept {
  readonly time: bigint;
  /** It, and what it carries. */
  readonly identities: readonly Identity[];
}

export class LateAnswers {
  readonly #kept: Set<Kept>;

  /** `unresolved`: the packets whose next hop is not known. */
  constructor({ unresolved }: Pick<Replay, 'unresolved'>) {
    this.#kept = new Set(unresolved.map(({ time, data }) => ({ time, identities: identitiesIn(data) })));
  }

  /** Whether a frame that the kernel sent at `time` answers a packet that it kept. Each is answered once. */
  take(frame: Uint8Array, time: bigint): boolean {
    const about = aboutUnreachable(frame);
    for (const kept of this.#kept) {
      if (kept.time >= time || time - kept.time > LONGEST) continue;
      if (!kept.identities.some((one) => about.some((quoted) => isSame(one, quoted)))) continue;
      this.#kept.delete(kept);
      return true;
    }
    return false;
  }
}

/** The packet of which a frame says that its host cannot be reached, and what it carries; empty: it says something else. */
export function aboutUnreachable(frame: Uint8Array): Identity[] {
  const packet = packetOf(frame);
  const [type, code] = packet?.body ?? [];
  const isUnreachable =
    packet?.protocol === ICMP ? type === 3 && code === 1 : packet?.protocol === ICMP6 && type === 1 && code === 3;
  return isUnreachable ? identitiesIn(frame, 'quoted.') : [];
}

/** Whether it says that a datagram did not get complete in time (11/1; ICMPv6 3/1): the core counts these, and no more. */
export function isReassemblyTimeout(frame: Uint8Array): boolean {
  const packet = packetOf(frame);
  const [type, code] = packet?.body ?? [];
  return code === 1 && type === (packet?.protocol === ICMP ? 11 : packet?.protocol === ICMP6 ? 3 : undefined);
}
