/**
 * Where each reason is written down: the RFC, the sysctl, or the rule of IPVS that it follows.
 *
 * @module
 */
import type { ReasonName } from '../reasons.js';

const RULES: Readonly<Record<string, string>> = {
  'nat-in': 'IPVS NAT, request: daddr and dport; TTL - 1; checksums by RFC 1624 eqn. 3',
  'nat-out': 'IPVS NAT, reply: saddr and sport after TTL - 1; checksums by RFC 1624 eqn. 3',
  'direct-route': 'IPVS DR: TTL - 1 and MAC addresses, nothing else',
  'tunnel-ipip': 'IPVS TUN: RFC 2003; outer TTL and TOS from the inner header, ECN by RFC 3168 §9.1',
  'tunnel-gre': 'IPVS TUN: RFC 2784; outer TTL and TOS from the inner header, ECN by RFC 3168 §9.1',
  'tunnel-gue':
    'IPVS TUN: draft-ietf-intarea-gue in UDP; outer TTL and TOS from the inner header, ECN by RFC 3168 §9.1',
  'icmp-in': 'IPVS: an error about a reply goes the way of its connection, by NAT with the packet it quotes translated',
  'icmp-out':
    'IPVS NAT: an error about a request seems to come from the service, the packet it quotes is translated back',
  'icmp-relayed': 'IPVS TUN: an error about a tunnel packet is sent to the client, about the packet inside',
  fragment:
    'RFC 791 §3.2; RFC 8200 §4.5: a packet larger than the MTU is cut, one that came in pieces leaves in pieces',
  bypass: 'net.ipv4.vs.cache_bypass = 1: no server is usable, so the packet goes where it was addressed',
  routed: 'RFC 1812 §5.2: TTL - 1 and the next hop; RFC 8200 §3: hop limit - 1',
  'time-exceeded': 'RFC 792, RFC 4443 §3.3; RFC 1812 §5.3.1',
  'parameter-problem': 'RFC 792; RFC 4443 §3.4: points at what cannot be handled',
  'port-unreachable': 'RFC 792, RFC 4443 §3.1; IPVS answers for a service without a usable server',
  'fragmentation-needed': 'RFC 1191 §4, RFC 4443 §3.2: carries the MTU of the next hop',
  'host-unreachable': 'RFC 792, RFC 4443 §3.1; RFC 1812 §5.2.7.1',
  'net-unreachable': 'RFC 792, RFC 4443 §3.1; RFC 1812 §5.2.7.1',
  'local-delivery': 'RFC 1122 §3.2.1.3: addressed to this host',
  'not-opening':
    'IPVS schedules only a segment with SYN and without RST, only SCTP with INIT (net.ipv4.vs.sloppy_tcp, sloppy_sctp = 0)',
  'local-dest': 'IPVS local node: the server is an address of this host',
  arp: 'RFC 826: the host answers',
  'fragment-held': 'RFC 791 §3.2; RFC 8200 §4.5: the datagram is put together before IPVS sees it',
  'link-group': 'RFC 1812 §5.3.4: a packet to a link group address is not forwarded',
  'ftp-data': 'IPVS: an active FTP data connection belongs to its control connection',
  decapsulated: 'RFC 2003 §3.1; RFC 2473 §3.3; RFC 2784 §2.4',
  'not-ip': 'IEEE 802.3: another EtherType',
  ipv6: 'IEEE 802.3: EtherType 0x86dd',
  'icmp-error': 'RFC 792: the packet quoted names the connection',
  'not-forwarding': 'net.ipv4.ip_forward = 0, net.ipv6.conf.all.forwarding = 0',
  'bad-descriptor': 'the frame must lie inside the arena',
  'unknown-interface': 'the network names no such interface',
  'link-truncated': 'IEEE 802.3: 14 bytes of header; IEEE 802.1Q: 4 more',
  'other-host': 'IEEE 802.3: the destination MAC is not ours',
  'unknown-vlan': 'IEEE 802.1Q: no interface with this identifier',
  'ipv4-truncated': 'RFC 1812 §5.2.2: the link gives fewer than 20 bytes, or fewer than IHL says',
  'ipv4-version': 'RFC 1812 §5.2.2: version must be 4',
  'ipv4-header-length': 'RFC 1812 §5.2.2: IHL must be at least 5',
  'ipv4-checksum': 'RFC 1812 §5.2.2: the header checksum must be right',
  'ipv4-total-length': 'RFC 1812 §5.2.2: the total length must hold the header and fit the frame',
  'ipv6-truncated': 'RFC 8200 §3: 40 bytes; §4: each extension header as long as it says',
  'ipv6-version': 'RFC 8200 §3: version must be 6',
  'ipv6-payload-length': 'RFC 8200 §3: the payload length must fit the frame; jumbograms (RFC 2675) are not taken',
  'ipv6-extension': 'RFC 8200 §4; RFC 5095: type 0 routing headers are refused',
  'ipv4-option': 'RFC 791 §3.1: option length or pointer is impossible',
  'source-route': 'net.ipv4.conf.all.accept_source_route = 0',
  'martian-source': 'RFC 1812 §5.3.7: martian source',
  'martian-destination': 'RFC 1812 §5.3.7: martian destination',
  'transport-truncated':
    'RFC 9293 §3.1: 20 bytes of TCP; RFC 768: 8 of UDP; RFC 9260 §3: 12 of SCTP; RFC 792, RFC 4443: 8 of ICMP',
  'tcp-checksum': 'RFC 9293 §3.1: a helper reads only what its checksum vouches for (Linux: nf_ip_checksum)',
  'tcp-option': 'RFC 9293 §3.1, RFC 2018: numbers are adjusted in a segment that can be read, SACK blocks too',
  'icmp-checksum': 'RFC 792; RFC 4443 §2.3: IPVS NAT verifies an error before it translates it',
  'icmp-consumed': 'IPVS TUN: taken in; the client is told what concerns it',
  'tunnel-malformed': 'RFC 2003 §3.1: a whole IP packet is inside',
  'tunnel-checksum': 'RFC 2784 §2.3; RFC 768: the checksum over what is inside must be right',
  'tunnel-ecn': 'RFC 6040 §4.2: CE outside a packet that is not ECN capable',
  'ttl-exceeded': 'RFC 1812 §5.3.1, RFC 8200 §3: TTL or hop limit 1 or 0 is not forwarded',
  'too-big': 'RFC 1191 §4: larger than the MTU, DF set; RFC 8200 §5: routers do not cut IPv6',
  'fragment-overlap': 'RFC 5722: overlapping fragments condemn their datagram',
  'fragment-malformed': 'RFC 791 §3.2; RFC 8200 §4.5: offset or length is impossible',
  'fragment-limit': 'the memory for held fragments is as large as it was planned',
  'fragment-timeout': 'RFC 1122 §3.3.2: 30 s; RFC 8200 §4.5: 60 s after the first fragment',
  'fragment-duplicate': 'RFC 791 §3.2: the datagram has this part already',
  'needs-fragmenting': 'RFC 791 §3.2: larger than the MTU, DF clear',
  'no-dest': 'IPVS: every server has weight 0, is overloaded, or there is none',
  'dest-unavailable':
    'IPVS: the server was deleted (net.ipv4.vs.expire_nodest_conn says what becomes of the connection)',
  'local-client': 'IPVS NAT, reply to a local client: source translated back at LOCAL_IN',
  'no-call-id': 'IPVS --pe sip: a datagram without a Call-ID (RFC 3261 §20.8) is not scheduled',
  'table-full': 'the connection table is as large as it was planned, and evict lets nothing go',
  'drop-packet': 'net.ipv4.vs.drop_packet: one of every am_droprate, or by how little room is left below amemthresh',
  'drop-entry': 'net.ipv4.vs.drop_entry: each second 1/32 of the connections is looked at',
  'evicted-half-open': 'evict: from half-open on',
  'evicted-closing': 'evict: from closing on',
  'evicted-datagram': 'evict: from datagram on',
  'evicted-established': 'evict: established',
  'no-route': 'RFC 1812 §5.2.4: no matching route',
  'no-neighbour': 'RFC 826: no entry for the next hop',
  'tunnel-mtu': 'RFC 791 §3.2: every host accepts 68 bytes, RFC 8200 §5: 1280; less is no link',
  'no-room': 'the arena has no room, or the burst no descriptor, for another frame',
  'no-headroom': 'the slot has no room for a header in front',
  'local-boundary': 'RFC 1122 §3.2.1.3: loopback addresses do not leave a host',
  'interface-down': 'the interface is administratively down',
  'no-connection': 'net.ipv4.vs.nat_icmp_send = 1: the server is told that nobody listens',
};

/** The rule a reason follows, in one line. */
export function reasonRule(reason: ReasonName): string {
  return RULES[reason] ?? '';
}
