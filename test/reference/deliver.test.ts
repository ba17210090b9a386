import { describe, expect, it } from 'vitest';
import { type Ipv4Packet, serialiseIcmp, serialiseIpv4 } from '../../src/reference/index.js';
import {
  ACK,
  CLIENT,
  director,
  FIN_ACK,
  frame,
  ip,
  judged,
  networkWith,
  RST,
  SERVER,
  SYN,
  TCP_SERVICE,
  tcp,
  tunnelled,
  UDP_SERVICE,
  udp,
  VIP,
} from './builders.js';
import { toHex } from './support.js';

const icmp = (type: number, quoted: Uint8Array = new Uint8Array(0), words = {}): Ipv4Packet =>
  ip({ protocol: 1, payload: serialiseIcmp({ type, code: 0, rest: 0, payload: quoted }), ...words });
const cut = (packet: Ipv4Packet, length: number): Ipv4Packet => ({
  ...packet,
  payload: packet.payload.slice(0, length),
});
const quote = (packet: Ipv4Packet, length = 28): Uint8Array => serialiseIpv4(packet).slice(0, length);

describe('a packet to the director', () => {
  const made = director('nat');
  made.addService({ protocol: 'tcp', address: VIP, port: 99 });

  it.each([
    ['drop martian-source', tcp(SYN, [1, 80], { source: '0.0.0.0' })],
    ['drop martian-source', tcp(SYN, [1, 80], { source: '127.0.0.1' })],
    ['drop martian-source', tcp(SYN, [1, 80], { source: '224.0.0.1' })],
    ['drop martian-source', tcp(SYN, [1, 80], { source: '239.255.255.255' })],
    ['drop martian-source', tcp(SYN, [1, 80], { source: '255.255.255.255' })],
    ['drop martian-source', tcp(SYN, [1, 80], { source: VIP })],
    ['drop martian-source', tcp(SYN, [1, 80], { source: '10.1.0.1' })],
    ['drop martian-destination', tcp(SYN, [1, 80], { destination: '127.0.0.1' })],
    ['drop martian-destination', tcp(SYN, [1, 80], { destination: '0.0.0.0' })],
    ['local local-delivery', udp([1, 53], { destination: '255.255.255.255' })],
    ['local local-delivery', udp([1, 53], { destination: '224.0.0.1' })],
    ['local local-delivery', udp([1, 53], { destination: '10.0.0.255' })],
    ['drop source-route', tcp(SYN, [1, 80], { options: Uint8Array.of(131, 3, 4, 0) })],
    ['held fragment-held', tcp(SYN, [1, 80], { flags: 1 })],
    ['held fragment-held', tcp(SYN, [1, 80], { fragmentOffset: 9 })],
    ['held fragment-held', tcp(SYN, [1, 80], { fragmentOffset: 1, destination: '10.1.0.11' })],
    ['local local-delivery', icmp(8)],
    ['local local-delivery', icmp(5, quote(tcp(ACK, [80, 1])))],
    ['local local-delivery', icmp(12, quote(tcp(ACK, [80, 1])))],
    ['local local-delivery', icmp(3, quote(icmp(8)))],
    ['local local-delivery', icmp(3, quote(tcp(ACK, [80, 1]), 19))],
    ['drop transport-truncated', cut(icmp(3), 0)],
    ['local local-delivery', icmp(3, quote(tcp(ACK, [80, 1]), 20))],
    ['local local-delivery', icmp(4, quote(udp([53, 1])))],
    ['local local-delivery', ip({ protocol: 47, payload: new Uint8Array(30) })],
    ['local local-delivery', ip({ protocol: 4, payload: serialiseIpv4(tcp(SYN, [1, 80])) })],
    ['local local-delivery', tcp(SYN, [1, 81])],
    ['local local-delivery', tcp(SYN, [1, 80], { destination: '10.0.0.1' })],
    ['local local-delivery', udp([1, 80])],
    ['local local-delivery', tcp(ACK, [1, 81])],
    ['local not-opening', tcp(ACK, [1, 80])],
    ['local not-opening', tcp(FIN_ACK, [1, 80])],
    ['local not-opening', tcp(SYN | RST, [1, 80])],
    ['local not-opening', tcp(RST, [20, 80])],
    ['local ftp-data', tcp(SYN, [20, 80])],
    ['local ftp-data', udp([20, 53])],
    ['drop transport-truncated', cut(tcp(SYN, [1, 80]), 19)],
    ['drop transport-truncated', cut(tcp(SYN, [1, 81]), 3)],
    ['drop transport-truncated', cut(udp([1, 53]), 7)],
    ['forward nat-in', tcp(SYN, [2, 80])],
    ['forward nat-in', tcp(SYN | ACK, [3, 80])],
    ['forward nat-in', tcp(SYN | 1, [4, 80])],
    ['forward nat-in', udp([0, 53])],
    ['forward nat-in', cut(udp([1, 53]), 8)],
  ])('%s (%#)', (expected, packet) => {
    expect(judged(made.send(frame(packet), 'cli', 0))).toEqual([expected]);
  });

  it('hears which byte of its options is wrong', () => {
    const malformed = tcp(SYN, [5, 80], { options: Uint8Array.of(1, 7, 7, 3, 0, 0, 0, 0) });
    const [first, answer] = made.send(frame(malformed), 'cli', 0);
    expect(judged([first!, answer!])).toEqual(['drop ipv4-option', 'forward parameter-problem']);
    expect(toHex(answer!.frame.subarray(34, 42)).replace(/^0c00..../, '0c00')).toBe('0c0017000000');
    expect(toHex(answer!.frame.subarray(42))).toBe(toHex(serialiseIpv4(malformed)));
  });

  it('hears port unreachable where no server is usable', () => {
    const [first, answer, ...rest] = made.send(frame(tcp(SYN, [5, 99])), 'cli', 0);
    expect(judged([first!, answer!])).toEqual(['drop no-dest', 'forward port-unreachable']);
    expect(rest).toEqual([]);
  });

  it('opens with any segment but a RST when sloppy', () => {
    made.setSysctl({ sloppy_tcp: 1 });
    expect(judged(made.send(frame(tcp(ACK, [6, 80])), 'cli', 0))).toEqual(['forward nat-in']);
    expect(judged(made.send(frame(tcp(0, [7, 80])), 'cli', 0))).toEqual(['forward nat-in']);
    expect(judged(made.send(frame(tcp(RST, [8, 80])), 'cli', 0))).toEqual(['local not-opening']);
  });

  it('finds the table full', () => {
    const small = director('nat', { connections: 1 });
    expect(judged(small.send(frame(udp([1, 53])), 'cli', 0))).toEqual(['forward nat-in']);
    expect(judged(small.send(frame(udp([2, 53])), 'cli', 0))).toEqual(['drop table-full']);
    expect(judged(small.send(frame(udp([1, 53])), 'cli', 0))).toEqual(['forward nat-in']);
    small.advance(300_000);
    expect(judged(small.send(frame(udp([2, 53])), 'cli', 300_000))).toEqual(['forward nat-in']);
  });
});

describe('a header cut short on a known connection', () => {
  it.each([
    ['nat', 'drop transport-truncated'],
    ['dr', 'forward direct-route'],
    ['tun', 'forward tunnel-ipip'],
  ] as const)('%s: %s', (method, expected) => {
    const made = director(method);
    made.send(frame(tcp(SYN, [40000, 80])), 'cli', 0);
    made.send(frame(tcp(ACK, [40000, 80])), 'cli', 1000);
    expect(judged(made.send(frame(cut(tcp(RST, [40000, 80]), 4)), 'cli', 2000))).toEqual([expected]);
    expect(judged(made.send(frame(cut(tcp(RST, [40000, 80]), 3)), 'cli', 2000))).toEqual(['drop transport-truncated']);
    const [connection] = made.connections(2000);
    expect(connection).toMatchObject({ state: 'ESTABLISHED', inPackets: 3 });
    expect(connection!.expires).toBe(900);
  });
});

describe('a connection whose server is gone', () => {
  function gone(method: 'nat' | 'dr' = 'nat') {
    const made = director(method);
    made.send(frame(tcp(SYN, [40000, 80])), 'cli', 0);
    made.send(frame(tcp(ACK, [40000, 80])), 'cli', 0);
    made.deleteDest(TCP_SERVICE, { address: SERVER, port: method === 'nat' ? 8080 : 80 });
    return made;
  }

  it('is dropped, and lives on', () => {
    const made = gone();
    expect(judged(made.send(frame(tcp(ACK, [40000, 80])), 'cli', 1000))).toEqual(['drop dest-unavailable']);
    expect(made.connections(1000)).toMatchObject([{ inPackets: 2, expires: 899 }]);
  });

  it('still answers: replies are translated, but not counted', () => {
    const made = gone();
    const reply = tcp(ACK, [8080, 40000], { source: SERVER, destination: CLIENT });
    expect(judged(made.send(frame(reply, 'srv'), 'srv', 0))).toEqual(['forward nat-out']);
    expect(made.services()[0]!.stats.outPackets).toBe(0n);
  });

  it('goes on when the server comes back', () => {
    const made = gone();
    made.addDest(TCP_SERVICE, { address: SERVER, port: 8080, method: 'dr', weight: 0 });
    // DR has no port of its own: another dest. The old one is still gone.
    expect(judged(made.send(frame(tcp(ACK, [40000, 80])), 'cli', 0))).toEqual(['drop dest-unavailable']);
    made.addDest(TCP_SERVICE, { address: SERVER, port: 8080, method: 'nat' });
    expect(judged(made.send(frame(tcp(ACK, [40000, 80])), 'cli', 0))).toEqual(['forward nat-in']);
    expect(made.services()[0]!.dests[0]).toMatchObject({ activeConnections: 1, stats: { connections: 1n } });
  });

  it('ends at the next packet with expire_nodest_conn, and the packet is judged as new', () => {
    const made = gone();
    made.setSysctl({ expire_nodest_conn: 1 });
    expect(judged(made.send(frame(tcp(ACK, [40000, 80])), 'cli', 0))).toEqual(['local not-opening']);
    expect(made.connections(0)).toEqual([]);
    const again = gone();
    again.setSysctl({ expire_nodest_conn: 1 });
    again.addDest(TCP_SERVICE, { address: '10.1.0.12', method: 'dr' });
    expect(judged(again.send(frame(tcp(SYN, [40000, 80])), 'cli', 0))).toEqual(['forward direct-route']);
    const dr = gone('dr');
    dr.setSysctl({ expire_nodest_conn: 1 });
    expect(judged(dr.send(frame(cut(tcp(SYN, [40000, 80]), 4)), 'cli', 0))).toEqual(['drop transport-truncated']);
  });
});

describe('a tunnel that ends at the director', () => {
  const network = networkWith({ name: 'tunl0', kind: 'ipip', mtu: 1480 });
  const encapsulated = (inner: Ipv4Packet): Ipv4Packet => tunnelled(inner, CLIENT, '10.0.0.1');
  const carrying = (inner: Ipv4Packet, words: Partial<Ipv4Packet> = {}): Uint8Array =>
    frame({ ...encapsulated(inner), ...words });

  it.each([
    ['local decapsulated', carrying(tcp(SYN, [1, 81]))],
    ['local decapsulated', carrying(tcp(ACK, [1, 80]))],
    ['local decapsulated', carrying(icmp(8))],
    ['local decapsulated', carrying(encapsulated(tcp(SYN, [1, 80])))],
    ['local decapsulated', carrying(udp([1, 53], { destination: '10.0.0.255' }))],
    ['local ftp-data', carrying(tcp(SYN, [20, 80]))],
    ['local decapsulated', carrying(icmp(3, quote(udp([53, 1]))))],
    ['held fragment-held', carrying(tcp(SYN, [1, 80], { flags: 1 }))],
    ['forward nat-in', carrying(tcp(SYN, [1, 80]))],
    ['forward routed', carrying(udp([1, 2], { destination: SERVER }))],
    ['drop martian-source', carrying(tcp(SYN, [1, 80], { source: VIP }))],
    ['drop ipv4-checksum', carrying(tcp(SYN, [1, 80]), { payload: serialiseIpv4(tcp(SYN, [1, 80]), 7) })],
    ['drop tunnel-malformed', carrying(tcp(SYN, [1, 80]), { payload: new Uint8Array(19) })],
    ['drop tunnel-ecn', carrying(tcp(SYN, [1, 80]), { tos: 3 })],
  ])('%s (%#)', (expected, bytes) => {
    const made = director('nat', { network });
    expect(judged(made.send(bytes, 'cli', 0))).toEqual([expected]);
  });

  it('hands the inner packet out, marked', () => {
    const made = director('nat', { network });
    const inner = tcp(SYN, [1, 81], { tos: 1 });
    const [outcome] = made.send(carrying(inner, { tos: 3 }), 'cli', 0);
    expect(toHex(outcome!.frame)).toBe(toHex(serialiseIpv4({ ...inner, tos: 3 })));
  });

  it('needs the tunnel interface up', () => {
    const made = director('nat', { network: networkWith({ name: 'tunl0', kind: 'ipip', up: false }) });
    expect(judged(made.send(carrying(tcp(SYN, [1, 80])), 'cli', 0))).toEqual(['local local-delivery']);
  });

  it('answers errors to the inner source', () => {
    const made = director('nat', { network });
    made.deleteDest(UDP_SERVICE, { address: SERVER, port: 5353 });
    expect(judged(made.send(carrying(udp([1, 53])), 'cli', 0))).toEqual(['drop no-dest', 'forward port-unreachable']);
  });
});
