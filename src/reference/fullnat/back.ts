/**
 * The way of what servers of FullNAT send: it is addressed to the director, and goes on to the client.
 *
 * @module
 */
import type { Connection } from '../connection.js';
import { settle } from '../emit.js';
import { drop, type Host, type Judgement, local, type Received } from '../host.js';
import { isNat64 } from '../nat64/headers.js';
import { hopsOf, type IpPacket, isIpv6, withHops } from '../packet/ip.js';
import type { Transport } from '../ports.js';
import { passReply } from '../reply.js';
import { routeOn } from '../route-on.js';
import { given } from '../transmit.js';
import { keepsHops } from './profile.js';

/** Of a packet that goes nowhere. */
const LONGEST = 0xffff;

/** An error on its way to the client; a verdict where it cannot be told. */
export type ErrorTranslation = (packet: IpPacket, mtu: number) => IpPacket | Judgement;

/** A packet of the connection's server. */
export function sendBack(host: Host, received: Received, connection: Connection, transport: Transport): Judgement {
  const crosses = isNat64(connection);
  const reason = crosses ? 'nat64-out' : connection.method === 'snat' ? 'snat-out' : 'fullnat-out';
  const pass: Parameters<typeof routeOn>[3] = (passing) => {
    const settled = crosses ? settledPayload(passing, received) : passing;
    const isMalformed = settled === 'tunnel-malformed';
    const passed = passReply(host, isMalformed ? passing : settled, connection, transport);
    if ('verdict' in passed) return passed;
    if (isMalformed) return drop(settled);
    const { partialChecksum } = settled;
    return { packet: passed, reason, partialChecksum };
  };
  const way = { keepsHops: keepsHops(connection.fullnat?.profile) };
  return goBack(host, received, connection, pass, way);
}

/**
 * What GUE left to be finished is found by where it stands, which another header moves: it is finished in the packet as it
 * came, before options were filled in.
 */
function settledPayload(
  passing: Received,
  { packet, givenOptions, partialChecksum }: Received,
): Received | 'tunnel-malformed' {
  const settled = settle(isIpv6(packet) ? packet : { ...packet, options: givenOptions }, partialChecksum);
  if (typeof settled === 'string') return settled;
  const whole = { ...passing.packet, payload: settled.packet.payload };
  return { ...passing, packet: whole, partialChecksum: settled.partialChecksum };
}

/** An error about a packet to its server; `translateBack` counts it and tells how it is translated. */
export function sendErrorBack(
  host: Host,
  received: Received,
  connection: Connection,
  translateBack: () => ErrorTranslation | Judgement,
): Judgement {
  const way = { keepsHops: keepsHops(connection.fullnat?.profile), isShortened: isNat64(connection) };
  const pass: Parameters<typeof routeOn>[3] = ({ packet }, mtu) => {
    const translate = translateBack();
    if ('verdict' in translate) return translate;
    const changed = translate(packet, mtu);
    return 'verdict' in changed ? changed : { packet: changed, reason: 'icmp-out' };
  };
  return goBack(host, received, connection, pass, way);
}

/** By the way to the client, or to the director itself, which gets it as it came. */
function goBack(
  host: Host,
  received: Received,
  { clientAddress }: Connection,
  pass: Parameters<typeof routeOn>[3],
  way: Parameters<typeof routeOn>[4],
): Judgement {
  const { packet, isRouted = false, partialChecksum } = received;
  if (!host.network.isLocal(clientAddress)) {
    return routeOn(host, received, clientAddress, pass, { ...way, isTaken: !isRouted });
  }
  const passed = pass({ ...received, packet: withHops(packet, hopsOf(packet) + Number(isRouted)) }, LONGEST);
  if ('verdict' in passed) return passed;
  const frame = given(received, passed.packet);
  return { ...local('local-client'), frame, partialChecksum: (passed.partialChecksum ?? partialChecksum) === true };
}
