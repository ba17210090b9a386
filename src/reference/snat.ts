/**
 * SNAT: who is behind the director reaches others under one of its addresses (docs/snat.md). It is FullNAT whose server is
 * whoever the client addresses, from a local address that the scheduler chooses.
 *
 * @module
 */
import type { Connection, Tuple } from './connection.js';
import { keepsHops } from './fullnat/profile.js';
import { drop, type Host, type Judgement, type Received } from './host.js';
import { type Address, familyOf, isLinkLocal, isUnspecified } from './packet/address.js';
import { isIpv6 } from './packet/ip.js';
import { mayOpen, type Transport } from './ports.js';
import { asItCame, type Passed } from './route-on.js';
import { schedule } from './schedule.js';
import { follow, serve } from './serve.js';
import type { Service } from './services.js';
import { isBegun } from './translate.js';
import { translateToServer, transmit } from './transmit.js';

/** The service by SNAT that takes a packet on its way to another host; `undefined`: it goes as it is. */
export function findSnat(host: Host, { packet, mark }: Received, { isSecured, tuple }: Transport): Service | undefined {
  // Who answers a query was not asked by SNAT.
  if (isSecured || tuple?.message === 'reply' || isNobody(packet.destination)) return undefined;
  return host.services.findSnat(mark, isIpv6(packet) ? 6 : 4);
}

/** Whether an address to which packets are routed is no host's, or another one's on each link. */
function isNobody(address: Address): boolean {
  return familyOf(address) === 6 && (isUnspecified(address) || isLinkLocal(address));
}

/** A packet of nobody's connection but SNAT's: nothing leaves with an address from behind the director. */
export function passOutwards(
  host: Host,
  received: Received,
  service: Service,
  transport: Transport,
  tuple: Tuple,
): Passed | Judgement {
  const open = (): Connection | Judgement => openOutwards(host, received, service, transport, tuple);
  return serve(host, received, host.connections.findRequest(tuple), transport, open, (connection) => {
    follow(host, received, connection, transport);
    return leaveAsLocal(host, received, connection, transport);
  });
}

function openOutwards(
  host: Host,
  received: Received,
  service: Service,
  transport: Transport,
  tuple: Tuple,
): Connection | Judgement {
  const opens = mayOpen(transport, { tcp: host.sysctl.sloppy_tcp !== 0, sctp: host.sysctl.sloppy_sctp !== 0 });
  if (opens === undefined) return drop('transport-truncated');
  if (!opens) return drop('no-connection');
  return schedule(host, received, service, tuple, tuple.destination, false);
}

/** As from the local end. */
function leaveAsLocal(
  host: Host,
  received: Received,
  connection: Connection,
  { truncated }: Transport,
): Passed | Judgement {
  const { method, fullnat } = connection;
  if (method !== 'snat' || fullnat === undefined) return transmit(host, received, connection, truncated);
  if (truncated) return drop('transport-truncated');
  const { packet, partialChecksum } = received;
  const kept = keepsHops(fullnat.profile) ? asItCame(packet) : packet;
  const room = { mtu: 0, mayCut: false, mayBeTwo: false };
  const translated = translateToServer(kept, connection, fullnat, room, isBegun(packet, partialChecksum));
  return 'verdict' in translated ? translated : { packet: translated[0], reason: 'snat-in' };
}
