/**
 * The order of ipvsadm's listings, oddities included.
 *
 * ipvsadm compares addresses by subtracting them as 32-bit numbers and looking at the sign of what is left, so that
 * 192.168.0.11 comes before 10.0.0.12. Such a comparison runs in circles (three addresses a third of the number
 * space apart each come before the next), and then the result depends on the algorithm: it is the C library's merge
 * sort, which {@link mergeSort} follows; `Array.prototype.sort` would give other orders.
 *
 * @module
 */
import { parseIPv4 } from '../address.js';
import type { ProtocolName } from '../types.js';
import type { ListedConnection } from './listed.js';

/** IP protocol numbers, by which listings sort. */
const PROTOCOL_NUMBER: Record<ProtocolName, number> = { tcp: 6, udp: 17 };

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Services: protocol, address (by signed subtraction), port. */
export function compareServices(
  a: Endpoint & { protocol: ProtocolName },
  b: Endpoint & { protocol: ProtocolName },
): number {
  return PROTOCOL_NUMBER[a.protocol] - PROTOCOL_NUMBER[b.protocol] || compareDests(a, b);
}

/** Dests: address (by signed subtraction), port. */
export function compareDests(a: Endpoint, b: Endpoint): number {
  return (parseIPv4(a.address) - parseIPv4(b.address)) | 0 || a.port - b.port;
}

/** Connections in the order people look for them; the kernel's own is that of its hash buckets, differently each boot. */
export function compareConnections(a: ListedConnection, b: ListedConnection): number {
  return (
    PROTOCOL_NUMBER[a.protocol] - PROTOCOL_NUMBER[b.protocol] ||
    parseIPv4(a.clientAddress) - parseIPv4(b.clientAddress) ||
    a.clientPort - b.clientPort ||
    parseIPv4(a.virtualAddress) - parseIPv4(b.virtualAddress) ||
    a.virtualPort - b.virtualPort
  );
}

/** A new array, sorted top-down: halves of ⌊n/2⌋ and the rest, merged with the left one first when neither is less. */
export function mergeSort<T>(items: readonly T[], compare: (a: T, b: T) => number): T[] {
  if (items.length < 2) return [...items];
  const middle = items.length >>> 1;
  const left = mergeSort(items.slice(0, middle), compare);
  const right = mergeSort(items.slice(middle), compare);
  const merged: T[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length && j < right.length) {
    merged.push(compare(left[i]!, right[j]!) <= 0 ? left[i++]! : right[j++]!);
  }
  return merged.concat(left.slice(i), right.slice(j));
}
