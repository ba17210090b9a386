/**
 * The public name and text of each verdict and reason.
 *
 * @module
 */
import { Reason, Verdict } from './abi/verdict.js';

/** Public name of a verdict. */
export type VerdictName = 'forward' | 'local' | 'pass' | 'drop' | 'held';

const VERDICT_NAMES: Record<Exclude<Verdict, Verdict.None>, VerdictName> = {
  [Verdict.Forward]: 'forward',
  [Verdict.Local]: 'local',
  [Verdict.Pass]: 'pass',
  [Verdict.Drop]: 'drop',
  [Verdict.Held]: 'held',
};

/** A reason: its verdict, its stable name, and one sentence for people. */
export interface ReasonInfo {
  readonly verdict: VerdictName;
  readonly name: ReasonName;
  readonly text: string;
}

const table = {
  'nat-in': [Reason.NatIn, 'forward', 'client to server: destination address and port translated (NAT)'],
  'nat-out': [Reason.NatOut, 'forward', 'server to client: source address and port translated back (NAT)'],
  'direct-route': [Reason.DirectRoute, 'forward', 'sent on unchanged to the MAC of the server (DR)'],
  'tunnel-ipip': [Reason.TunnelIpip, 'forward', 'encapsulated in IP to the server (TUN)'],
  'tunnel-gre': [Reason.TunnelGre, 'forward', 'encapsulated in GRE to the server (TUN)'],
  'tunnel-gue': [Reason.TunnelGue, 'forward', 'encapsulated in GUE over UDP to the server (TUN)'],
  'fullnat-in': [
    Reason.FullNatIn,
    'forward',
    'client to server: all addresses and ports translated, the client has a local one there (FullNAT)',
  ],
  'fullnat-out': [Reason.FullNatOut, 'forward', 'server to client: all addresses and ports translated back (FullNAT)'],
  'snat-in': [
    Reason.SnatIn,
    'forward',
    'from the inside to whom it addressed: source address and port became those of the director (SNAT)',
  ],
  'snat-out': [Reason.SnatOut, 'forward', 'answer to the inside: destination address and port translated back (SNAT)'],
  'nat64-in': [Reason.Nat64In, 'forward', 'client of IPv6 to server of IPv4, translated (FullNAT, NAT64)'],
  'nat64-out': [Reason.Nat64Out, 'forward', 'server of IPv4 to client of IPv6, translated back (FullNAT, NAT64)'],
  'icmp-in': [Reason.IcmpIn, 'forward', 'ICMP error from the client about its connection, sent to the server'],
  'icmp-out': [
    Reason.IcmpOut,
    'forward',
    'ICMP error from the side of the server about a connection, translated back (NAT, FullNAT, SNAT)',
  ],
  'client-address': [
    Reason.ClientAddress,
    'forward',
    "a packet of the director's own that tells a server its client, before the client's, which has no room for it (FullNAT)",
  ],
  bypass: [Reason.Bypass, 'forward', 'no usable server: sent on to where it was addressed (cache_bypass)'],
  routed: [Reason.Routed, 'forward', 'not ours, routed like any packet (ip_forward, ipv6_forwarding)'],
  'time-exceeded': [Reason.TimeExceeded, 'forward', 'ICMP time exceeded (11/0; ICMPv6 3/0) made by the director'],
  'port-unreachable': [
    Reason.PortUnreachable,
    'forward',
    'ICMP port unreachable (3/3; ICMPv6 1/4) made by the director',
  ],
  'fragmentation-needed': [
    Reason.FragmentationNeeded,
    'forward',
    'ICMP fragmentation needed (3/4) or ICMPv6 packet too big (2/0) made by the director',
  ],
  'host-unreachable': [
    Reason.HostUnreachable,
    'forward',
    'ICMP host unreachable (3/1; ICMPv6 1/3) made by the director',
  ],
  'net-unreachable': [
    Reason.NetUnreachable,
    'forward',
    'ICMP network unreachable (3/0) or ICMPv6 no route (1/0) made by the director',
  ],
  'parameter-problem': [
    Reason.ParameterProblem,
    'forward',
    'ICMP parameter problem (12/0; ICMPv6 4/0 to 4/2) made by the director',
  ],
  'icmp-relayed': [
    Reason.IcmpRelayed,
    'forward',
    "an ICMP error about the director's own tunnel packet, made anew about what the client sent",
  ],
  'syn-cookie': [Reason.SynCookie, 'forward', 'a SYN, answered by the director with a cookie (synproxy)'],
  'syn-proxied': [Reason.SynProxied, 'forward', 'SYN to the server, for a client that answered its cookie (synproxy)'],
  'syn-proxy-ack': [
    Reason.SynProxyAck,
    'forward',
    "made of the server's SYN-ACK: to the server the third part of the handshake, to the client its window (synproxy)",
  ],
  'syn-proxy-reset': [
    Reason.SynProxyReset,
    'forward',
    'RST: the server refused, is silent or cannot be reached, or speaks of another connection (synproxy)',
  ],
  'expired-reset': [
    Reason.ExpiredReset,
    'forward',
    'RST to an end of a connection whose time is over (conn_expire_tcp_rst)',
  ],
  fragment: [Reason.FragmentPiece, 'forward', 'a further fragment of the frame that was cut'],

  'local-delivery': [Reason.LocalDelivery, 'local', 'addressed to this host, no service takes it'],
  'not-opening': [Reason.NotOpening, 'local', 'to a service, but no connection and not a packet that opens one'],
  'bad-cookie': [
    Reason.BadCookie,
    'local',
    'to a service behind cookies (synproxy), of no connection, and it does not answer a valid cookie',
  ],
  'local-dest': [Reason.LocalDest, 'local', 'the chosen server is this host'],
  arp: [Reason.Arp, 'local', 'ARP: the host answers'],
  'link-group': [Reason.LinkGroup, 'local', 'sent to a broadcast or multicast MAC: never balanced'],
  'ftp-data': [Reason.FtpData, 'local', 'from port 20: waits for its FTP connection, never scheduled'],
  'local-client': [
    Reason.LocalClient,
    'local',
    "a server's reply to this host as the client: source translated back (NAT)",
  ],
  decapsulated: [Reason.Decapsulated, 'local', 'taken out of its tunnel, addressed to this host'],

  'not-ip': [Reason.NotIp, 'pass', 'neither IP nor ARP'],
  'not-forwarding': [
    Reason.NotForwarding,
    'pass',
    'not addressed to this host, and ip_forward (IPv6: ipv6_forwarding) is off',
  ],

  'fragment-held': [Reason.FragmentHeld, 'held', 'waits for the other fragments of its datagram'],
  'syn-proxy-held': [Reason.SynProxyHeld, 'held', 'waits until the server has answered (synproxy)'],

  'bad-descriptor': [Reason.BadDescriptor, 'drop', 'the frame lies outside the arena'],
  'unknown-interface': [Reason.UnknownInterface, 'drop', 'the in interface does not exist'],
  'link-truncated': [Reason.LinkTruncated, 'drop', 'shorter than its Ethernet or VLAN header'],
  'other-host': [Reason.OtherHost, 'drop', 'addressed to the MAC of another host'],
  'unknown-vlan': [Reason.UnknownVlan, 'drop', 'carries a VLAN tag for which there is no interface'],
  'ipv4-truncated': [Reason.Ipv4Truncated, 'drop', 'shorter than its IPv4 header'],
  'ipv4-version': [Reason.Ipv4Version, 'drop', 'IP version is not 4'],
  'ipv4-header-length': [Reason.Ipv4HeaderLength, 'drop', 'IHL below 5 (RFC 791 §3.1)'],
  'ipv4-checksum': [Reason.Ipv4Checksum, 'drop', 'wrong IPv4 header checksum'],
  'ipv4-total-length': [Reason.Ipv4TotalLength, 'drop', 'total length beyond the frame or below the header'],
  'ipv4-option': [Reason.Ipv4Option, 'drop', 'malformed IPv4 option'],
  'source-route': [Reason.SourceRoute, 'drop', 'carries a source route option (accept_source_route is off)'],
  'ipv6-truncated': [Reason.Ipv6Truncated, 'drop', 'shorter than its IPv6 header or an extension header'],
  'ipv6-version': [Reason.Ipv6Version, 'drop', 'IP version is not 6'],
  'ipv6-payload-length': [Reason.Ipv6PayloadLength, 'drop', 'payload length beyond the frame, or a jumbogram'],
  'ipv6-extension': [Reason.Ipv6Extension, 'drop', 'malformed or refused IPv6 extension header or option'],
  'martian-source': [
    Reason.MartianSource,
    'drop',
    'source address that cannot be: ours, loopback, multicast, broadcast or zero',
  ],
  'martian-destination': [Reason.MartianDestination, 'drop', 'destination address that cannot be: loopback or zero'],
  'transport-truncated': [Reason.TransportTruncated, 'drop', 'transport or ICMP header cut short'],
  'icmp-checksum': [Reason.IcmpChecksum, 'drop', 'wrong checksum of an ICMP error about a connection'],
  'tunnel-malformed': [Reason.TunnelMalformed, 'drop', 'tunnel packet whose header or inside is none that can be'],
  'tunnel-checksum': [Reason.TunnelChecksum, 'drop', 'wrong GRE checksum, or UDP checksum of GUE'],
  'tcp-checksum': [
    Reason.TcpChecksum,
    'drop',
    'wrong checksum of a segment that a helper (ip_vs_ftp), or the SYN proxy, answers or looks at',
  ],
  'tcp-option': [
    Reason.TcpOption,
    'drop',
    "segment whose numbers have to be adjusted (ip_vs_ftp), but its options, or flags, cannot be; or with data in the place of the PROXY protocol's header (FullNAT)",
  ],
  'tunnel-ecn': [Reason.TunnelEcn, 'drop', 'outer CE over an inner packet that is not ECN capable (RFC 6040 §4.2)'],
  'fragment-malformed': [Reason.FragmentMalformed, 'drop', 'fragment whose offset or length cannot be'],
  'fragment-overlap': [Reason.FragmentOverlap, 'drop', 'fragment that overlaps another: the datagram is dropped'],
  'fragment-duplicate': [Reason.FragmentDuplicate, 'drop', 'fragment that is held already'],
  'fragment-limit': [Reason.FragmentLimit, 'drop', 'no memory left to hold the fragment'],
  'fragment-timeout': [
    Reason.FragmentTimeout,
    'drop',
    'counts held fragments whose datagram did not get complete in time (30 s; IPv6 60 s), or before a snapshot was restored',
  ],

  'syn-proxy-wait': [
    Reason.SynProxyWait,
    'drop',
    'before the server has answered, or the client has sent data (synproxy): it comes again',
  ],
  'syn-proxy-mismatch': [
    Reason.SynProxyMismatch,
    'drop',
    'SYN-ACK of a server without the timestamps that its client was told of (synproxy_timestamp): both get a RST',
  ],
  'ack-storm': [Reason.AckStorm, 'drop', 'the same acknowledgment too often in a row (synproxy_dup_ack)'],

  'ttl-exceeded': [Reason.TtlExceeded, 'drop', 'TTL or hop limit 1 or 0 on arrival'],
  'too-big': [Reason.TooBig, 'drop', 'larger than the MTU, and must not be cut (DF, or IPv6)'],
  'no-dest': [Reason.NoDest, 'drop', 'no usable server'],
  'dest-unavailable': [Reason.DestUnavailable, 'drop', 'the server of its connection was deleted'],
  'no-call-id': [Reason.NoCallId, 'drop', 'nothing in it says which call it belongs to (`--pe sip`)'],
  'table-full': [
    Reason.TableFull,
    'drop',
    'no free connection record, and none that may make room (`evict`); or none for the Call-ID of a template, for a helper or for FullNAT (`extensions`)',
  ],
  'no-local-port': [
    Reason.NoLocalPort,
    'drop',
    'FullNAT: the service has no local address, or none of them a free port for that server',
  ],
  'client-address-lost': [
    Reason.ClientAddressLost,
    'drop',
    'counts packets that should have told a server its client, and went without: there was no room anywhere (FullNAT)',
  ],
  'client-port-zero': [
    Reason.ClientPortZero,
    'drop',
    'from port 0: opens no connection by FullNAT, or to a service behind cookies (synproxy)',
  ],
  'drop-packet': [Reason.DropPacket, 'drop', 'would open a connection, but is one of those that drop_packet drops'],
  'drop-entry': [Reason.DropEntry, 'drop', 'counts connections and templates that drop_entry ended, not frames'],
  'evicted-half-open': [
    Reason.EvictedHalfOpen,
    'drop',
    'counts half-open connections that made room for new ones (`evict`), and templates none of whose was established',
  ],
  'evicted-closing': [
    Reason.EvictedClosing,
    'drop',
    'counts closing connections that made room for new ones (`evict`)',
  ],
  'evicted-datagram': [
    Reason.EvictedDatagram,
    'drop',
    'counts connections of UDP and idle templates that made room for new ones (`evict`)',
  ],
  'evicted-established': [
    Reason.EvictedEstablished,
    'drop',
    'counts established connections that made room for new ones (`evict`)',
  ],
  'no-route': [Reason.NoRoute, 'drop', 'no route to where it should go'],
  'no-neighbour': [Reason.NoNeighbour, 'drop', 'the MAC of the next hop is not known'],
  'tunnel-mtu': [
    Reason.TunnelMtu,
    'drop',
    'the MTU leaves less inside the tunnel than IP needs: 68 bytes (RFC 791), IPv6 1280 (RFC 8200)',
  ],
  'no-headroom': [Reason.NoHeadroom, 'drop', 'no room in front of the frame for the new header'],
  'no-room': [Reason.NoRoom, 'drop', 'no room in the arena, or no descriptor left, for the fragments it is cut into'],
  'local-boundary': [Reason.LocalBoundary, 'drop', 'translated to loopback from outside'],
  'interface-down': [Reason.InterfaceDown, 'drop', 'the interface it came in by is down'],
  'no-connection': [
    Reason.NoConnection,
    'drop',
    'from a server, but of no connection (nat_icmp_send), or of none and none that opens one (SNAT)',
  ],
  'icmp-consumed': [
    Reason.IcmpConsumed,
    'drop',
    "ICMP error about the director's own tunnel packet: relayed to the client, if it can be",
  ],
  'icmp-untranslatable': [
    Reason.IcmpUntranslatable,
    'drop',
    'ICMP error about a connection by NAT64: the other family has none like it',
  ],
} as const satisfies Record<string, readonly [Reason, VerdictName, string]>;

/** Public name of a reason. */
export type ReasonName = keyof typeof table;

/** Every reason, in the order of the documentation. */
export const REASONS: readonly ReasonInfo[] = Object.entries(table).map(([name, [, verdict, text]]) => ({
  name: name as ReasonName,
  verdict,
  text,
}));

const names: (ReasonName | undefined)[] = [];
for (const [name, [code]] of Object.entries(table)) names[code] = name as ReasonName;

/** Name of a verdict code, `undefined` for a frame that was not judged. */
export function verdictName(code: number): VerdictName | undefined {
  return VERDICT_NAMES[code as Exclude<Verdict, Verdict.None>];
}

/** Name of a reason code. */
export function reasonName(code: number): ReasonName | undefined {
  return names[code];
}

/** Number of a reason in the ABI. */
export function reasonCode(name: ReasonName): Reason {
  return table[name][0];
}

/** One sentence about a reason. */
export function reasonText(name: ReasonName): string {
  return table[name][2];
}
