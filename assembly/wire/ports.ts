/**
 * The four bytes that TCP, UDP and SCTP begin with: source and destination port.
 *
 * @module
 */

import { Protocol } from '../../src/abi/protocol';

/** Bytes needed before the ports can be read. */
export const PORTS_SIZE: u32 = 4;

/** Source port in the low half, destination port in the high half, each in network order. */
export function portsBE(address: usize): u32 {
  return load<u32>(address);
}

/** Protocols whose header begins with two ports. */
export function hasPorts(protocol: u32): bool {
  return protocol == Protocol.Tcp || protocol == Protocol.Udp || protocol == Protocol.Sctp;
}
