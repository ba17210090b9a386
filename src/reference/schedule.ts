/**
 * New connections.
 *
 * @module
 */
import type { Connection, Tuple } from './connections.js';
import { drop, type Host, type Judgement, local, type Received } from './host.js';
import { type Address, familyOf } from './packet/address.js';
import type { Service } from './services.js';
import { tell } from './transmit.js';

/** Port from which an FTP server opens data connections: the FTP helper's business, never scheduled. */
const FTP_DATA_PORT = 20;

/**
 * A connection to a dest of the service's choice, or the verdict where none is made.
 *
 * @param tuple of a packet from the client
 * @param destination to where the packet goes, or the one that an error quotes
 * @param mayBypass whether a packet for which there is no dest may go to where it was addressed (`cache_bypass`)
 */
export function schedule(
  host: Host,
  received: Received,
  service: Service,
  tuple: Tuple,
  destination: Address,
  mayBypass: boolean,
): Connection | Judgement {
  const { connections, random, sysctl } = host;
  if (tuple.sourcePort === FTP_DATA_PORT) return local('ftp-data');
  const key = {
    sourceAddress: tuple.source,
    sourcePort: tuple.sourcePort,
    destinationAddress: destination,
    now: received.now,
    random: (below: number) => random.draw(below),
  };
  const dest = service.scheduler.pick(service.dests, key);
  const isBypassed = mayBypass && sysctl.cache_bypass !== 0 && 'fwmark' in service.end;
  if (dest === undefined && !isBypassed) {
    return drop('no-dest', tell(host, received, 'port-unreachable', received.packet));
  }
  if (connections.isFull(familyOf(tuple.source))) return drop('table-full');
  if (dest !== undefined) {
    dest.stats.connections += 1n;
    service.stats.connections += 1n;
  }
  return connections.create(tuple, dest, received.now);
}
