/**
 * What became of a frame, in words and copied out of the director's memory.
 *
 * @module
 */
import type { Burst } from './burst.js';
import { type ConnectionInfo, readConnection } from './connections.js';
import { type ReasonName, reasonName, type VerdictName, verdictName } from './reasons.js';

/** What became of a frame, or a frame that the director made. */
export interface Outcome {
  verdict: VerdictName;
  reason: ReasonName;
  /** Interface it leaves by; only with the verdict `forward`. */
  outInterface: string | undefined;
  /**
   * A copy of the frame as it is now. What of a dropped frame was rewritten before it was dropped is not defined. A datagram
   * that was put together from fragments starts with its IP header, unless it is forwarded.
   */
  frame: Uint8Array;
  /** Whether the director made it: because of the frame that was sent, or because it was due to be sent. */
  made: boolean;
  /** Whether it was taken out of a tunnel: then `frame` starts with the inner IP header, whatever came in. */
  decapsulated: boolean;
  /** Whether its transport checksum is still to be filled in, as it was of the frame that came in. */
  partialChecksum: boolean;
  connection: ConnectionInfo | undefined;
}

/** Reads that of frame `index` of a burst at `now` (ms); `interfaces` in the order of the network. @throws RangeError for no frame that was judged. */
export function readOutcome(
  view: DataView,
  burst: Burst,
  interfaces: readonly { readonly name: string }[],
  index: number,
  now: number,
): Outcome {
  const verdict = verdictName(burst.verdict(index));
  const reason = reasonName(burst.reason(index));
  if (index >= burst.length || verdict === undefined || reason === undefined) {
    throw new RangeError(`expected the index of a frame that was judged, got ${index}`);
  }
  const connection = burst.connectionAt(index);
  return {
    verdict,
    reason,
    outInterface: verdict === 'forward' ? interfaces[burst.out(index)]?.name : undefined,
    frame: burst.frame(index).slice(),
    made: burst.made(index),
    decapsulated: burst.decapsulated(index),
    partialChecksum: burst.partialChecksum(index),
    connection: connection === 0 ? undefined : readConnection(view, connection, now),
  };
}
