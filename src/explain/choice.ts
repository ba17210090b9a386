/**
 * Why a scheduler chose the dest it chose, told from the service as it was before the packet.
 *
 * @module
 */
import { addressBytes, formatEndpoint } from '../address.js';
import type { DestInfo, ServiceInfo } from '../director.js';

/** The ends of a client's packet. */
export interface PacketKey {
  readonly client: string;
  readonly clientPort: number;
  readonly destination: string;
}

/** One line: what the service's scheduler compared. */
export function choiceText(service: ServiceInfo, { client, clientPort, destination }: PacketKey): string {
  const { scheduler, dests, flags } = service;
  if (dests.length === 0) return 'the service has no server';
  const loads = (load: (dest: DestInfo) => string) => dests.map((dest) => `${name(dest)} ${load(dest)}`).join(', ');
  const weights = () => loads(({ weight }) => `weight ${weight}`);
  const hasPort = flags.includes('sh-port') || flags.includes('mh-port');
  const key = hasPort ? `${client} and port ${clientPort}` : client;
  switch (scheduler) {
    case 'rr':
      return `the next usable one of the list (newest first): ${dests.map(name).join(', ')}`;
    case 'wrr':
      return `the next in turn by weight: ${weights()}`;
    case 'lc':
      return `the least 256 × active + inactive: ${loads(overhead)}`;
    case 'wlc':
      return `the least (256 × active + inactive) / weight: ${loads((dest) => `${overhead(dest)}/${dest.weight}`)}`;
    case 'sed':
    case 'nq': {
      const idle = scheduler === 'nq' ? 'the first without an active connection, else ' : '';
      return `${idle}the least (active + 1) / weight: ${loads(expected)}`;
    }
    case 'fo':
      return `the usable one of the highest weight: ${weights()}`;
    case 'ovf':
      return `the highest weight that active connections do not exceed: ${loads((dest) => `${dest.activeConnections}/${dest.weight}`)}`;
    case 'twos':
      return `the lesser load for its weight of two drawn by weight: ${loads((dest) => `${overhead(dest)}/${dest.weight}`)}`;
    case 'sh':
      return `hash of ${key} is slot ${hashSlot(client, hasPort ? clientPort : 0)} of 256`;
    case 'dh':
      return `hash of ${destination} is slot ${hashSlot(destination, 0)} of 256`;
    case 'mh':
      return `Maglev hash of ${key}, one of 4093 slots`;
    case 'maglev':
      return `Maglev hash of ${key}, one of 65537 slots`;
    case 'lblc':
      return `the one that serves ${destination} already, unless it is overloaded; else as wlc`;
    case 'lblcr':
      return `the least loaded that serves ${destination} already, unless it is overloaded; else as wlc`;
  }
}

/**
 * Slot of IPVS's source and destination hashing: `hash32(address + port, 8 bits)`, the multiplier being 2^32 over the golden ratio. Of
 * an IPv6 address the four 32-bit words are combined by exclusive or.
 */
export function hashSlot(address: string, port: number): number {
  const { bytes } = addressBytes(address);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let folded = 0;
  for (let at = 0; at < bytes.length; at += 4) folded ^= view.getInt32(at);
  return Math.imul((folded + port) | 0, 0x61c88647) >>> 24;
}

function name(dest: DestInfo): string {
  return formatEndpoint(dest.address, dest.port);
}

function overhead({ activeConnections, inactiveConnections }: DestInfo): string {
  return String(activeConnections * 256 + inactiveConnections);
}

function expected({ activeConnections, weight }: DestInfo): string {
  return `${activeConnections + 1}/${weight}`;
}
