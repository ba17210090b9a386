/**
 * What a client sends before its server has answered: it is kept, and comes again then.
 *
 * @module
 */
import type { Connection } from '../connections.js';
import { finished, settle } from '../emit.js';
import type { Host, Received } from '../host.js';
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

/** Keeps a packet of a client, if it goes on from what was kept before; whether it does. */
export function keep(host: Host, received: Received, connection: Connection): boolean {
  const { kept, isn } = connection.proxied!;
  const { packet, givenOptions, partialChecksum, interface: device, decapsulated, mark } = received;
  const segment = segmentIn(packet);
  if (segment === undefined || received.arrival !== undefined) return false;
  if (!hasFlag(segment, 'ack') || hasFlag(segment, 'syn') || hasFlag(segment, 'rst')) return false;
  const length = lengthOf(segment);
  const next = kept.at(-1)?.next ?? (isn + 1) >>> 0;
  if (length === 0 || segment.sequence !== next || kept.length >= host.sysctl.synproxy_max_ack_saved) return false;
  // Options are filled in when it comes again.
  const settled = settle(isIpv6(packet) ? packet : { ...packet, options: givenOptions }, partialChecksum);
  if (typeof settled === 'string') return false;
  const whole = settled.partialChecksum ? finished(settled.packet) : settled.packet;
  kept.push({
    bytes: serialiseAsIs(whole),
    origin: { interface: device, decapsulated, mark },
    next: (next + length) >>> 0,
  });
  return true;
}

/** How many numbers a segment takes. */
function lengthOf(segment: TcpSegment): number {
  const options = (segment.offsetAndReserved >>> 4) * 4 - TCP_LENGTH;
  return segment.rest.length - options + Number(hasFlag(segment, 'fin'));
}
