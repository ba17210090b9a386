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
import { addressBytes } from '../address.js';
import type { ServiceKey } from '../types.js';
import type { ListedConnection } from './listed.js';

/** IP protocol numbers, by which listings sort. */
const PROTOCOL_NUMBER: Record<ListedConnection['protocol'], number> = {
  ip: 0,
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
};

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Services: mark, family, protocol, address (marks and addresses by signed subtraction), port. */
export function compareServices(a: Readonly<ServiceKey>, b: Readonly<ServiceKey>): number {
  const byMark = (markOf(a) - markOf(b)) | 0 || familyOf(a) - familyOf(b);
  if (byMark !== 0 || 'fwmark' in a || 'fwmark' in b) return byMark;
  return PROTOCOL_NUMBER[a.protocol] - PROTOCOL_NUMBER[b.protocol] || compareDests(a, b);
}

function markOf(service: Readonly<ServiceKey>): number {
  return 'fwmark' in service ? service.fwmark : 0;
}

function familyOf(service: Readonly<ServiceKey>): number {
  return 'fwmark' in service ? (service.family ?? 4) : addressBytes(service.address).family;
}

/** Dests: address (by signed subtraction, word by word), port. */
export function compareDests(a: Endpoint, b: Endpoint): number {
  const right = wordsOf(b.address);
  // How many words are compared depends on the first address alone: those that the second has not are 0.
  for (const [i, word] of wordsOf(a.address).entries()) {
    const difference = (word - (right[i] ?? 0)) | 0;
    if (difference !== 0) return difference;
  }
  return a.port - b.port;
}

/** An address as one or four 32-bit words. */
function wordsOf(address: string): number[] {
  const { bytes } = addressBytes(address);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4));
}

/** Connections in the order people look for them; the kernel's own is that of its hash buckets, differently each boot. */
export function sortConnections(connections: readonly ListedConnection[]): ListedConnection[] {
  const keyed = connections.map((row) => {
    const protocol = String(PROTOCOL_NUMBER[row.protocol]).padStart(3, '0');
    const client = sortKey(row.clientAddress, row.clientPort);
    return { row, key: protocol + client + sortKey(row.virtualAddress, row.virtualPort) };
  });
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return keyed.map(({ row }) => row);
}

/** A text that sorts by family, address and port. */
function sortKey(address: string, port: number): string {
  const { family, bytes } = addressBytes(address);
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return family + digits + String(port).padStart(5, '0');
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
