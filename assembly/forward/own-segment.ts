/**
 * TCP segments of the director's own: without data, TTL 64, not to be cut.
 *
 * @module
 */
import { Protocol } from '../../src/abi/protocol';
import { finish, pseudoHeader, pseudoHeader6, sum } from '../wire/checksum';
import { DF_BE, IPV4_MIN, Ipv4 } from '../wire/ipv4';
import { IPV6_SIZE, Ipv6 } from '../wire/ipv6';
import { TCP_MIN, Tcp } from '../wire/tcp';

const TTL: u32 = 64;

/** Bytes in front of the options. */
export function ownHeaders(v6: bool): u32 {
  return (v6 ? IPV6_SIZE : IPV4_MIN) + TCP_MIN;
}

/**
 * Writes the headers at `ip` around the `options` bytes of options that are there already. The addresses are at `source` and
 * `destination`, which may be where these headers go.
 */
export function putSegment(
  ip: usize,
  v6: bool,
  source: usize,
  destination: usize,
  portsBE: u32,
  sequence: u32,
  acknowledgement: u32,
  flags: u32,
  window: u32,
  options: u32,
): void {
  const length = TCP_MIN + options;
  const l4 = ip + ownHeaders(v6) - TCP_MIN;
  let pseudo: u64;
  if (v6) {
    const from = v128.load(source);
    const to = v128.load(destination);
    const header = changetype<Ipv6>(ip);
    header.setVersion(0);
    header.payloadLength = length;
    header.nextHeader = Protocol.Tcp;
    header.hopLimit = TTL;
    v128.store(header.source, from);
    v128.store(header.destination, to);
    pseudo = pseudoHeader6(header.source, header.destination, Protocol.Tcp, length);
  } else {
    const from = load<u32>(source);
    const to = load<u32>(destination);
    changetype<Ipv4>(ip).write(0, IPV4_MIN + length, 0, DF_BE, TTL, Protocol.Tcp, from, to);
    pseudo = pseudoHeader(from, to, Protocol.Tcp, length);
  }
  const tcp = changetype<Tcp>(l4);
  tcp.write(portsBE, sequence, acknowledgement, length, flags, window);
  tcp.checksum = finish(pseudo + sum(l4, length));
}
