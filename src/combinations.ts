/**
 * What a service and its dests cannot have together.
 *
 * @module
 */
import { Carry, ServiceFlag } from './abi/protocol.js';
import { addressBytes, isLoopback } from './address.js';
import { destLabel, serviceFamily } from './arguments.js';
import type { DestConfig, ServiceKey } from './types.js';

/** ServiceFlag bits and Carry of a service. @throws RangeError for a dest that it cannot have */
export function assertDest(service: ServiceKey, flags: number, carry: Carry, dest: DestConfig): void {
  const { method = 'dr' } = dest;
  const refuse = (expected: string): never => {
    throw new RangeError(`${destLabel(service, dest)}: expected ${expected}`);
  };
  if (method === 'snat') {
    assertSnat(service, flags, carry, dest, refuse);
    return;
  }
  // Where each packet has its own connection, that ends before there is a reply.
  if (flags & ServiceFlag.OnePacket && method === 'fullnat') {
    refuse('a method other than fullnat with one-packet scheduling (ops)');
  }
  // A SYN proxy has to see both directions.
  if (flags & ServiceFlag.SynProxy && method !== 'nat' && method !== 'fullnat') {
    refuse(`the method nat or fullnat behind a SYN proxy (synproxy), got ${method}`);
  }
  if (method !== 'fullnat' || serviceFamily(service) === addressBytes(dest.address).family) return;
  if (carry === Carry.UoaOption || carry === Carry.UoaProtocol) {
    const name = carry === Carry.UoaOption ? 'uoa-option' : 'uoa-protocol';
    refuse(`a server of IPv6 with carry ${name}, which there is not with NAT64, got ${dest.address}`);
  }
}

function assertSnat(
  service: ServiceKey,
  flags: number,
  carry: Carry,
  { address, port = 0 }: DestConfig,
  refuse: (expected: string) => never,
): void {
  if (!('fwmark' in service)) refuse('a service by firewall mark for the method snat');
  if (isLoopback(addressBytes(address)))
    refuse(`an address for the method snat that others can answer, got ${address}`);
  if (port !== 0) refuse(`port 0 for the method snat, which leaves ports to each connection, got ${port}`);
  if (flags & ServiceFlag.OnePacket) refuse('a method other than snat with one-packet scheduling (ops)');
  if (flags & ServiceFlag.SynProxy) refuse('a method other than snat behind a SYN proxy (synproxy)');
  if (carry !== Carry.None) refuse('a method other than snat with carry, which names clients to servers of ours');
}

/** @throws RangeError for a dest by SNAT in a service with others, or another where they are by SNAT (`areSnat`) */
export function assertAlike(service: ServiceKey, dest: DestConfig, areSnat: boolean): void {
  const isSnat = dest.method === 'snat';
  if (isSnat === areSnat) return;
  const expected = isSnat ? 'no dest by snat beside others' : 'no other dest beside those by snat';
  throw new RangeError(`${destLabel(service, dest)}: expected ${expected} in one service`);
}
