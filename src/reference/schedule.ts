/**
 * New connections.
 *
 * @module
 */

import { answer, tell } from './answer.js';
import type { Connection, Tuple } from './connection.js';
import { isPortless, takeLocalEnd } from './fullnat/open.js';
import { drop, type Host, type Judgement, local, type Received } from './host.js';
import { isOfAnother } from './martians.js';
import { type Address, familyOf, isMulticast } from './packet/address.js';
import { isIpv6 } from './packet/ip.js';
import { UDP_LENGTH } from './packet/udp.js';
import { connectPersistently, count, type Refusal } from './persistence.js';
import { asItCame } from './route-on.js';
import { isSnat } from './rules.js';
import type { Dest, Service } from './services.js';
import type { ReferenceOutcome } from './types.js';
import { upperLayer } from './upper.js';

/** Port from which an FTP server opens data connections: the FTP helper's business, never scheduled. */
const FTP_DATA_PORT = 20;
const FTP_PORT = 21;

/**
 * A connection to a dest of the service's choice, or the verdict where none is made.
 *
 * @param tuple of a packet from the client
 * @param destination to where the packet goes, or the one that an error quotes
 * @param isError whether it is an error that speaks of the connection
 * @param refuse what a client of the SYN proxy is told where there is no dest
 */
export function schedule(
  host: Host,
  received: Received,
  service: Service,
  tuple: Tuple,
  destination: Address,
  isError: boolean,
  refuse?: () => ReferenceOutcome[],
): Connection | Judgement {
  const { random } = host;
  if (host.defence.drops()) return drop('drop-packet');
  if (tuple.sourcePort === FTP_DATA_PORT && !isSnat(service)) return local('ftp-data');
  const key = {
    sourceAddress: tuple.source,
    sourcePort: tuple.sourcePort,
    destinationAddress: destination,
    now: received.now,
    random: (below: number) => random.draw(below),
  };
  const pick = (): Dest | undefined => service.scheduler.pick(service.dests, key);
  const { persistence } = service;
  const made =
    persistence === undefined
      ? connectOnce(host, service, tuple, pick, received.now)
      : connectPersistently(
          host,
          service,
          persistence,
          tuple,
          isError ? undefined : messageOf(received),
          pick,
          received.now,
        );
  if (typeof made !== 'string') return made;
  if (made === 'no-dest' && refuse !== undefined) return { ...drop(made), made: refuse() };
  return made === 'no-dest' ? leave(host, received, service, tuple, isError) : drop(made);
}

/** A connection that no template asks for. Only FTP's service is found for ports that it has no connections on. */
function connectOnce(
  host: Host,
  service: Service,
  tuple: Tuple,
  pick: () => Dest | undefined,
  now: number,
): Connection | Refusal {
  const { connections } = host;
  const isOwnPort = 'fwmark' in service.end || service.end.port === tuple.destinationPort;
  const dest = isOwnPort ? pick() : undefined;
  if (dest === undefined) return 'no-dest';
  if (isPortless(dest, tuple)) return 'client-port-zero';
  if (connections.isFull(familyOf(tuple.source))) return 'table-full';
  const taken = takeLocalEnd(host, dest, dest.port || tuple.destinationPort, tuple);
  if (typeof taken === 'string') return taken;
  return count(service, dest, connections.create(tuple, dest, now, { once: isOnce(service, tuple), ...taken }));
}

/** There is no dest: on to where it was addressed, to the host, or an answer. */
function leave(
  host: Host,
  received: Received,
  service: Service,
  tuple: Tuple,
  isError: boolean,
): Connection | Judgement {
  const { connections, sysctl } = host;
  const { packet, interface: device } = received;
  // It was routed here: nothing goes past it, and it is answered by a router.
  if (isSnat(service)) return drop('no-dest', answer(host, 'port-unreachable', asItCame(packet), device));
  const leads = isIpv6(packet) ? !isMulticast(packet.destination) : isOfAnother(host, packet.destination);
  if (!isError && sysctl.cache_bypass !== 0 && 'fwmark' in service.end && leads) {
    if (connections.isFull(familyOf(tuple.source))) return drop('table-full');
    return connections.create(tuple, undefined, received.now, { once: isOnce(service, tuple) });
  }
  const isFtp = !('fwmark' in service.end) && service.end.port === FTP_PORT;
  if (isFtp && tuple.destinationPort !== FTP_PORT) return local('local-delivery');
  return drop('no-dest', tell(host, received, 'port-unreachable', received.packet));
}

function isOnce(service: Service, { protocol }: Tuple): boolean {
  return service.once && protocol === 'udp';
}

/** What a datagram carries; nothing, where it carries none. */
export function messageOf({ packet }: Received): Uint8Array | undefined {
  const message = upperLayer(packet)?.bytes.subarray(UDP_LENGTH);
  return message?.length === 0 ? undefined : message;
}

/** A connection for one packet has had it. */
export function endOnce({ connections }: Host, connection: Connection): void {
  if (!connection.once) return;
  if (connection.control !== undefined) connection.control.inPackets += 1;
  connections.remove(connection);
}
