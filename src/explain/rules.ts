/**
 * Where each reason is written down: the RFC, the sysctl, or the rule of IPVS that it follows.
 *
 * @module
 */
import type { ReasonName } from '../reasons.js';

const RULES: Record<ReasonName, string> = {
  'nat-in': 'IPVS NAT, request: daddr and dport; TTL - 1; checksums by RFC 1624 eqn. 3',
  'nat-out': 'IPVS NAT, reply: saddr and sport after TTL - 1; checksums by RFC 1624 eqn. 3',
  'direct-route': 'IPVS DR: TTL - 1 and MAC addresses, nothing else',
  'tunnel-ipip': 'IPVS TUN: RFC 2003; outer TTL and TOS from the inner header, ECN by RFC 3168 §9.1',
  routed: 'RFC 1812 §5.2: TTL - 1 and the next hop',
  'time-exceeded': 'RFC 792; RFC 1812 §5.3.1',
  'port-unreachable': 'RFC 792; IPVS answers for a service without a usable server',
  'fragmentation-needed': 'RFC 1191 §4: carries the MTU of the next hop',
  'host-unreachable': 'RFC 792; RFC 1812 §5.2.7.1',
  'net-unreachable': 'RFC 792; RFC 1812 §5.2.7.1',
  'local-delivery': 'RFC 1122 §3.2.1.3: addressed to this host',
  'not-opening': 'IPVS schedules only a segment with SYN and without RST (net.ipv4.vs.sloppy_tcp = 0)',
  'local-dest': 'IPVS local node: the server is an address of this host',
  arp: 'RFC 826: the host answers',
  'link-group': 'RFC 1812 §5.3.4: a packet to a link group address is not forwarded',
  'ftp-data': 'IPVS: an active FTP data connection belongs to its control connection',
  decapsulated: 'RFC 2003 §3.1',
  'not-ip': 'IEEE 802.3: another EtherType',
  ipv6: 'IEEE 802.3: EtherType 0x86dd',
  fragment: 'RFC 791 §3.2: ports are in the first fragment only',
  'icmp-error': 'RFC 792: the packet quoted names the connection',
  'not-forwarding': 'net.ipv4.ip_forward = 0',
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
  'ipv4-option': 'RFC 791 §3.1: option length or pointer is impossible',
  'source-route': 'net.ipv4.conf.all.accept_source_route = 0',
  'martian-source': 'RFC 1812 §5.3.7: martian source',
  'martian-destination': 'RFC 1812 §5.3.7: martian destination',
  'transport-truncated': 'RFC 9293 §3.1: 20 bytes of TCP; RFC 768: 8 bytes of UDP',
  'tunnel-malformed': 'RFC 2003 §3.1: a whole IPv4 packet is inside',
  'tunnel-ecn': 'RFC 6040 §4.2: CE outside a packet that is not ECN capable',
  'ttl-exceeded': 'RFC 1812 §5.3.1: TTL 1 or 0 is not forwarded',
  'too-big': 'RFC 1191 §4: larger than the MTU, DF set',
  'needs-fragmenting': 'RFC 791 §3.2: larger than the MTU, DF clear',
  'no-dest': 'IPVS: every server has weight 0, is overloaded, or there is none',
  'dest-unavailable':
    'IPVS: the server was deleted (net.ipv4.vs.expire_nodest_conn says what becomes of the connection)',
  'local-client': 'IPVS NAT, reply to a local client: source translated back at LOCAL_IN',
  'table-full': 'the connection table is as large as it was planned',
  'no-route': 'RFC 1812 §5.2.4: no matching route',
  'no-neighbour': 'RFC 826: no entry for the next hop',
  'tunnel-mtu': 'RFC 791 §3.2: every host accepts 68 bytes; less is no link',
  'no-headroom': 'the slot has no room for a header in front',
  'local-boundary': 'RFC 1122 §3.2.1.3: loopback addresses do not leave a host',
  'interface-down': 'the interface is administratively down',
  'no-connection': 'net.ipv4.vs.nat_icmp_send = 1: the server is told that nobody listens',
};

/** The rule a reason follows, in one line. */
export function reasonRule(reason: ReasonName): string {
  return RULES[reason];
}
