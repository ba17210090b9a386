/**
 * Why a scheduler chose the dest it chose, told from the service as it was before the packet.
 *
 * @module
 */
import { addressBytes, formatEndpoint } from '../address.js';
import type { DestInfo, ServiceInfo } from '../director.js';

/** One line: what the service's scheduler compared. */
export function choiceText(service: ServiceInfo, clientAddress: string, clientPort: number): string {
  const { scheduler, dests } = service;
  if (dests.length === 0) return 'the service has no server';
  switch (scheduler) {
    case 'rr':
      return `the next usable one of the list (newest first): ${dests.map(name).join(', ')}`;
    case 'wrr':
      return `the next in turn by weight: ${dests.map((dest) => `${name(dest)} weight ${dest.weight}`).join(', ')}`;
    case 'wlc':
      return `the least (256 × active + inactive) / weight: ${dests.map(load).join(', ')}`;
    case 'sh': {
      const port = service.flags.includes('sh-port') ? clientPort : 0;
      const key = port === 0 ? clientAddress : `${clientAddress} and port ${port}`;
      return `hash of ${key} is slot ${sourceHashSlot(clientAddress, port)} of 256`;
    }
  }
}

/**
 * Slot of IPVS's source hashing: `hash32(address + port, 8 bits)`, the multiplier being 2^32 over the golden ratio. Of
 * an IPv6 address the four 32-bit words are combined by exclusive or.
 */
export function sourceHashSlot(address: string, port: number): number {
  const { bytes } = addressBytes(address);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let folded = 0;
  for (let at = 0; at < bytes.length; at += 4) folded ^= view.getInt32(at);
  return Math.imul((folded + port) | 0, 0x61c88647) >>> 24;
}

function name(dest: DestInfo): string {
  return formatEndpoint(dest.address, dest.port);
}

function load(dest: DestInfo): string {
  return `${name(dest)} ${dest.activeConnections * 256 + dest.inactiveConnections}/${dest.weight}`;
}
