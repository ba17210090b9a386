/**
 * What the kernel says when it gives up a next hop that it asked for in vain: host unreachable, some seconds after the packet.
 *
 * @module
 */
import { packetOf } from '../../src/scenario/packet.js';
import type { Replay } from '../../src/scenario/replay.js';
import type { Recording } from './case.js';
import { ICMP, ICMP6 } from './generate/bytes.js';
import { type Identity, identitiesIn, isSame } from './identity.js';
import { isSolicitation } from './spontaneous.js';

/** ns: it asks three times, a second apart; the machine may be busy. */
const SHORTEST = 1_000_000_000n;
const LONGEST = 15_000_000_000n;

/** A packet that the kernel keeps while it looks for the next hop. */
interface Kept {
  readonly time: bigint;
  /** It, and what it carries. */
  readonly identities: readonly Identity[];
}

export class LateAnswers {
  readonly #times: readonly bigint[];
  readonly #kept: Set<Kept>;

  /** `unresolved`: the packets whose next hop is not known. The kernel also looks for those of its host's own answers. */
  constructor({ unresolved }: Replay, { done }: Recording) {
    const asked = done.flatMap(({ emitted }) => emitted.filter(({ data }) => isSolicitation(data)));
    this.#times = [...unresolved, ...asked].map(({ time }) => time);
    this.#kept = new Set(unresolved.map(({ time, data }) => ({ time, identities: identitiesIn(data) })));
  }

  /** Whether a frame that the kernel sent at `time` answers a packet that it kept. Each is answered once. */
  take(frame: Uint8Array, time: bigint): boolean {
    const about = aboutUnreachable(frame);
    if (about === undefined || !this.#isGivingUp(time)) return false;
    for (const kept of this.#kept) {
      if (kept.time >= time || time - kept.time > LONGEST) continue;
      if (!kept.identities.some((one) => isSame(one, about))) continue;
      this.#kept.delete(kept);
      return true;
    }
    return false;
  }

  /** Whether it has looked for some next hop for long enough: the last of the packets to it may have come just now. */
  #isGivingUp(time: bigint): boolean {
    return this.#times.some((since) => time - since >= SHORTEST && time - since <= LONGEST);
  }
}

/** The packet of which a frame says that its host cannot be reached; `undefined`: it says something else. */
export function aboutUnreachable(frame: Uint8Array): Identity | undefined {
  const packet = packetOf(frame);
  const [type, code] = packet?.body ?? [];
  const isUnreachable =
    packet?.protocol === ICMP ? type === 3 && code === 1 : packet?.protocol === ICMP6 && type === 1 && code === 3;
  return isUnreachable ? identitiesIn(frame, 'quoted.').at(-1) : undefined;
}
