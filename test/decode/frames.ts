/** Frames of each kind that the decoder knows, by their summary. */
import {
  bytes,
  C0_MAC,
  CLI_MAC,
  chunk,
  ether,
  fragment6,
  gre,
  gue,
  hex,
  icmp,
  icmp6,
  ip6,
  ipv4,
  ipv6,
  RS1_MAC,
  SRV_MAC,
  sctp,
  tcp6Frame,
  tcpFrame,
  u32,
  udp,
} from '../scenario/packets.js';

const [CLIENT, VIP] = ['fd00::2', 'fd00::100'];
export const six = (protocol: number, payload: Uint8Array, rest = {}) =>
  ether(C0_MAC, CLI_MAC, ipv6({ src: CLIENT, dst: VIP, protocol, payload, ...rest }), 0x86dd);
export const four = (protocol: number, payload: Uint8Array, rest = {}) =>
  ether(SRV_MAC, RS1_MAC, ipv4({ src: '10.1.0.1', dst: '10.1.0.21', protocol, payload, ...rest }));
export const syn = tcpFrame({ sport: 40001, dport: 80, ttl: 63 });
export const syn6 = tcp6Frame({ sport: 40001, dport: 80, hops: 63 });
export const [inner, inner6] = [syn.slice(14), syn6.slice(14)];
export const segment6 = syn6.slice(54);
export const gueIn4 = (packet: Uint8Array, protocol: number, options?: number[]) =>
  four(17, udp('10.1.0.1', '10.1.0.21', 40000, 6080, [...gue(protocol, packet, options)]));

export const INNER = '10.0.0.2:40001 > 10.0.0.100:80 TCP [S] seq=1 ttl=63 len=0';
export const INNER6 = '[fd00::2]:40001 > [fd00::100]:80 TCP [S] seq=1 hlim=63 len=0';

/** Frames by their summary. */
export const FRAMES: Record<string, Uint8Array> = {
  [INNER6]: syn6,
  '[fd00::2]:5000 > [fd00::100]:53 UDP hlim=64 len=3': six(17, udp('0.0.0.0', '0.0.0.0', 5000, 53, [1, 2, 3])),
  'fd00::2 > fd00::100 protocol 59 hlim=64 len=0': six(59, bytes()),
  // Extension headers: hop-by-hop options, routing, destination options.
  '[fd00::2]:40001 > [fd00::100]:80 TCP [S] seq=1 hlim=64 len=0': six(
    0,
    bytes(43, 0, 5, 2, 0, 0, 1, 0, 60, 0, 0, 0, u32(0), 6, 0, 1, 4, u32(0), segment6),
  ),
  '[fd00::2]:40001 > [fd00::100]:80 TCP [S] seq=1 fragment id=0x00000007 at 0 hlim=64 len=0': six(
    44,
    fragment6(6, 0, true, 7, segment6),
  ),
  'fd00::2 > fd00::100 protocol 17 fragment id=0x11223344 at 1232 hlim=64 len=8': six(
    44,
    fragment6(17, 1232, false, 0x11223344, bytes(1, 2, 3, 4, 5, 6, 7, 8)),
  ),
  [`fd00::100 > fd00::2 ICMPv6 3/0 (time exceeded) hlim=64 (${INNER6})`]: ether(
    CLI_MAC,
    C0_MAC,
    ipv6({ src: VIP, dst: CLIENT, protocol: 58, payload: icmp6(VIP, CLIENT, 3, 0, [0, 0, 0, 0], inner6) }),
    0x86dd,
  ),
  [`fd00::2 > fd00::100 ICMPv6 2/0 (packet too big) mtu=1280 hlim=64 (${INNER6})`]: six(
    58,
    icmp6(CLIENT, VIP, 2, 0, u32(1280), inner6),
  ),
  'fd00::2 > fd00::100 ICMPv6 128/0 (echo request) hlim=64 len=1': six(
    58,
    icmp6(CLIENT, VIP, 128, 0, [0, 1, 0, 2], [9]),
  ),
  'fd00::2 > fd00::100 ICMPv6 135/0 (neighbour solicitation) fd00::100 hlim=255 len=0': six(
    58,
    icmp6(CLIENT, VIP, 135, 0, [0, 0, 0, 0], [...ip6(VIP), 1, 1, ...hex(C0_MAC)]),
    { hops: 255 },
  ),
  'fd00::2 > fd00::100 ESP spi=0x00000001 hlim=64 len=4': six(50, bytes(u32(1), u32(2), 1, 2, 3, 4)),
  '10.1.0.1 > 10.1.0.21 AH ESP spi=0x00000009 ttl=64 len=4': four(
    51,
    bytes(50, 4, 0, 0, u32(5), u32(6), Array(12).fill(0xaa), u32(9), u32(1), 1, 2, 3, 4),
  ),
  [`10.1.0.1 > 10.1.0.21 6in4 ttl=64 (${INNER6})`]: four(41, inner6),
  [`fd00::2 > fd00::100 4in6 hlim=64 (${INNER})`]: six(4, inner),
  [`fd00::2 > fd00::100 IP6IP6 hlim=64 (${INNER6})`]: six(41, inner6),
  [`10.1.0.1 > 10.1.0.21 GRE ttl=64 (${INNER})`]: four(47, gre(0x0800, inner)),
  [`fd00::2 > fd00::100 GRE hlim=64 (${INNER6})`]: six(47, gre(0x86dd, inner6, true)),
  '10.1.0.1 > 10.1.0.21 GRE ttl=64 len=4': four(47, gre(0x88be, bytes(1, 2, 3, 4))),
  [`10.1.0.1:40000 > 10.1.0.21:6080 GUE ttl=64 (${INNER})`]: gueIn4(inner, 4),
  [`10.1.0.1:40000 > 10.1.0.21:6080 GUE ttl=64 (${INNER6})`]: gueIn4(inner6, 41),
  '10.0.0.2:51000 > 10.0.0.100:3868 SCTP [INIT] ttl=64': ether(
    C0_MAC,
    CLI_MAC,
    ipv4({
      src: '10.0.0.2',
      dst: '10.0.0.100',
      protocol: 132,
      payload: sctp(51000, 3868, 0, chunk(1, Array(16).fill(1))),
    }),
  ),
  '[fd00::2]:51000 > [fd00::100]:3868 SCTP [SACK, DATA] hlim=64': six(
    132,
    sctp(51000, 3868, 7, chunk(3, Array(12).fill(0)), chunk(0, Array(15).fill(3))),
  ),
  [`10.1.0.77 > 10.1.0.1 ICMP 11/0 (time exceeded) ttl=64 (10.1.0.1 > 10.1.0.21 GRE ttl=64 (${INNER}))`]: ether(
    RS1_MAC,
    SRV_MAC,
    ipv4({
      src: '10.1.0.77',
      dst: '10.1.0.1',
      protocol: 1,
      payload: icmp(11, 0, [0, 0, 0, 0], four(47, gre(0x0800, inner)).slice(14)),
    }),
  ),
};
