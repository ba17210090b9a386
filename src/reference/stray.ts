/**
 * `nat_icmp_send`: packets of NAT servers that belong to no connection.
 *
 * @module
 */
import type { Host } from './host.js';
import { isReset, type Transport } from './ports.js';
import { isOfQueries } from './queries.js';

/** Whether a server speaks without a connection, and is to be told so. What ends a connection is never answered. */
export function isStray(host: Host, transport: Transport): boolean {
  const { tuple, isSecured } = transport;
  if (host.sysctl.nat_icmp_send === 0 || tuple === undefined || isSecured || isReset(transport)) return false;
  if (isOfQueries(tuple.protocol)) return false;
  return host.services.ends.nat(tuple.protocol, tuple.source, tuple.sourcePort) !== undefined;
}
