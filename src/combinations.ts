/**
 * What a service and its dests cannot have together.
 *
 * @module
 */
import { Carry, ServiceFlag } from './abi/protocol.js';
import { addressBytes } from './address.js';
import { destLabel, serviceFamily } from './arguments.js';
import type { DestConfig, ServiceKey } from './types.js';

/** ServiceFlag bits and Carry of a service. @throws RangeError for a dest that it cannot have */
export function assertDest(service: ServiceKey, flags: number, carry: Carry, dest: DestConfig): void {
  const { method = 'dr' } = dest;
  const refuse = (expected: string): never => {
    throw new RangeError(`${destLabel(service, dest)}: expected ${expected}`);
  };
  // Where each packet has its own connection, that ends before there is a reply.
  if (flags & ServiceFlag.OnePacket && method === 'fullnat') {
    refuse('a method other than fullnat with one-packet scheduling (ops)');
  }
  // A SYN proxy has to see both directions.
  if (flags & ServiceFlag.SynProxy && method !== 'nat' && method !== 'fullnat') {
    refuse(`the method nat or fullnat behind a SYN proxy (synproxy), got ${method}`);
  }
  if (method !== 'fullnat' || serviceFamily(service) === addressBytes(dest.address).family) return;
  if (flags & ServiceFlag.SynProxy) {
    refuse(`a server of IPv6 behind a SYN proxy (synproxy), which there is not with NAT64, got ${dest.address}`);
  }
  if (carry === Carry.UoaOption || carry === Carry.UoaProtocol) {
    const name = carry === Carry.UoaOption ? 'uoa-option' : 'uoa-protocol';
    refuse(`a server of IPv6 with carry ${name}, which there is not with NAT64, got ${dest.address}`);
  }
}
