/**
 * The ends that packets of a connection have.
 *
 * @module
 */
import type { Connection, Tuple } from './connection.js';
import { formatAddress } from './packet/address.js';

/** That of a client's packets. */
export function requestTuple(connection: Connection): Tuple {
  return {
    protocol: connection.protocol,
    source: connection.clientAddress,
    sourcePort: connection.clientPort,
    destination: connection.virtualAddress,
    destinationPort: connection.virtualPort,
  };
}

/** That of its server's. */
export function replyTuple(connection: Connection): Tuple {
  return {
    protocol: connection.protocol,
    source: connection.destAddress,
    sourcePort: connection.destPort,
    destination: connection.fullnat?.local.address ?? connection.clientAddress,
    destinationPort: connection.fullnat?.local.port ?? connection.clientPort,
  };
}

/** Different ones have different names. */
export function tupleName(tuple: Tuple): string {
  const from = `${formatAddress(tuple.source)} ${tuple.sourcePort}`;
  const to = `${formatAddress(tuple.destination)} ${tuple.destinationPort}`;
  return `${tuple.protocol} ${from} -> ${to}`;
}
