/**
 * What a client sends before its server has answered: it is kept, and comes again then.
 *
 * @module
 */
import type { Connection } from '../connection.js';
import { finished, settle } from '../emit.js';
import type { Host, Judgement, Received } from '../host.js';
import { concatenate } from '../packet/checksum.js';
import { isIpv6 } from '../packet/ip.js';
import { hasFlag, TCP_LENGTH, type TcpSegment } from '../packet/tcp.js';
import { segmentIn } from '../segment.js';
import { serialiseAsIs } from '../upper.js';

/** A packet that is kept. */
export interface Kept {
  /** Without its link header. */
  bytes: Uint8Array;
  origin: Pick<Received, 'interface' | 'decapsulated' | 'mark'>;
  /** The number behind it. */
  next: number;
}

/** Keeps a packet of a client, its checksum finished, if it goes on from what was kept before. */
export function keep(host: Host, received: Received, connection: Connection): Judgement | undefined {
  const { kept, isn } = connection.proxied!;
  const { packet, givenOptions, partialChecksum, interface: device, decapsulated, mark } = received;
  const segment = segmentIn(packet);
  if (segment === undefined || received.arrival !== undefined) return undefined;
  if (!hasFlag(segment, 'ack') || hasFlag(segment, 'syn') || hasFlag(segment, 'rst')) return undefined;
  const length = lengthOf(segment);
  const next = kept.at(-1)?.next ?? (isn + 1) >>> 0;
  if (length === 0 || segment.sequence !== next || kept.length >= host.sysctl.synproxy_max_ack_saved) return undefined;
  // Options are filled in when it comes again.
  const settled = settle(isIpv6(packet) ? packet : { ...packet, options: givenOptions }, partialChecksum);
  if (typeof settled === 'string') return undefined;
  const whole = settled.partialChecksum ? finished(settled.packet) : settled.packet;
  const bytes = serialiseAsIs(whole);
  kept.push({
    bytes,
    origin: { interface: device, decapsulated, mark },
    next: (next + length) >>> 0,
  });
  const frame = concatenate(received.link, bytes);
  return { verdict: 'held', reason: 'syn-proxy-held', frame, partialChecksum: false };
}

/** How many numbers a segment takes. */
function lengthOf(segment: TcpSegment): number {
  const options = (segment.offsetAndReserved >>> 4) * 4 - TCP_LENGTH;
  return segment.rest.length - options + Number(hasFlag(segment, 'fin'));
}
