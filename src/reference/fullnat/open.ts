/**
 * What a new connection by FullNAT needs.
 *
 * @module
 */
import type { Making, Tuple } from '../connection.js';
import type { Host } from '../host.js';
import { familyOf } from '../packet/address.js';
import { isOfQueries } from '../queries.js';
import type { Dest } from '../services.js';
import { canCarry, headerFor } from './carry.js';
import { poolOf } from './pools.js';

/** Why there is none. */
export type FullNatRefusal = 'client-port-zero' | 'no-local-port';

/** Whether connections to a dest come from a local address. */
function hasLocalEnd({ method }: Dest): boolean {
  return method === 'fullnat' || method === 'snat';
}

/** Nobody finds a connection from port 0, so that each of its packets would take another local port; but one of queries. */
export function isPortless(dest: Dest, { protocol, sourcePort }: Tuple): boolean {
  return sourcePort === 0 && hasLocalEnd(dest) && !isOfQueries(protocol);
}

/**
 * The local end of a new connection from `tuple` to a dest's port, by SNAT to whom it addresses; nothing where the method needs none.
 */
export function takeLocalEnd(
  { localPorts }: Host,
  dest: Dest,
  destPort: number,
  tuple: Tuple,
): Pick<Making, 'destAddress' | 'fullnat'> | FullNatRefusal {
  const { protocol } = tuple;
  // A template that two services share leads to a dest of the other one.
  const { method, address, service } = dest;
  if (!hasLocalEnd(dest)) return {};
  const isSnat = method === 'snat';
  const destAddress = isSnat ? tuple.destination : address;
  const asking = isSnat ? { localAddresses: [address], nextLocal: 0 } : service;
  const local = localPorts.give(asking, poolOf(protocol, destAddress, destPort), familyOf(destAddress));
  if (local === undefined) return 'no-local-port';
  // A service by mark takes packets of protocols that cannot.
  const carry = service.carry && canCarry(protocol, service.carry) ? service.carry : undefined;
  return { destAddress, fullnat: { local, profile: service.profile, carry, header: headerFor(carry, tuple) } };
}
