/**
 * The header of the PROXY protocol (haproxy's proxy-protocol.txt), versions 1 and 2.
 *
 * @module
 */

import type { Tuple } from '../connection.js';
import { addressBytes, familyOf, formatAddress } from '../packet/address.js';
import { concatenate } from '../packet/checksum.js';

/** §2.2: no text begins like this. */
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

/** Version 2, of a connection that is somebody else's. */
const PROXY = 0x21;

/** §2.1: a line of text; `tuple` is that of the client's packets. */
export function proxyText({ source, sourcePort, destination, destinationPort }: Tuple): Uint8Array {
  const ends = [formatAddress(source), formatAddress(destination), sourcePort, destinationPort];
  const line = `PROXY TCP${familyOf(source)} ${ends.join(' ')}\r\n`;
  return Uint8Array.from(line, (character) => character.charCodeAt(0));
}

/** §2.2: bytes. */
export function proxyBinary({ protocol, source, sourcePort, destination, destinationPort }: Tuple): Uint8Array {
  const addresses = concatenate(addressBytes(source), addressBytes(destination));
  const family = familyOf(source) === 4 ? 0x10 : 0x20;
  const ports = [sourcePort, destinationPort].flatMap((port) => [port >>> 8, port & 0xff]);
  const transport = protocol === 'udp' ? 2 : 1;
  const head = [...SIGNATURE, PROXY, family | transport, 0, addresses.length + 4];
  return concatenate(Uint8Array.from(head), addresses, Uint8Array.from(ports));
}
