/**
 * Numbers that the control plane and the data plane both speak: protocols, methods, schedulers, states.
 *
 * @module
 */

/** IP protocol numbers (IANA). */
export enum Protocol {
  HopByHop = 0,
  Icmp = 1,
  Ipip = 4,
  Tcp = 6,
  Udp = 17,
  Ipv6 = 41,
  Routing = 43,
  Fragment = 44,
  Gre = 47,
  Esp = 50,
  Ah = 51,
  Icmpv6 = 58,
  NoNext = 59,
  DestinationOptions = 60,
  Sctp = 132,
  Mobility = 135,
}

/** Forwarding methods, ipvsadm's -m, -g, -i; `Local` is how a listing shows a dest on this host. */
export enum Method {
  Masq = 0,
  Local = 1,
  Tunnel = 2,
  Route = 3,
  /** cache_bypass: to where the client addressed it; such a connection has no dest. */
  Bypass = 4,
  FullNat = 5,
  /** FullNAT of a client of IPv6 to a server of IPv4; only of a connection. */
  Nat64 = 6,
  /** FullNAT to where the client addressed it, whose dest is the local address: see docs/snat.md. */
  Snat = 7,
}

/** Whose FullNAT it is like: see docs/fullnat.md. */
export enum Profile {
  Linux = 0,
  Alibaba = 1,
  Dpvs = 2,
}

/** How FullNAT tells a server who its client is: see docs/fullnat.md. */
export enum Carry {
  None = 0,
  Toa = 1,
  ProxyV1 = 2,
  ProxyV2 = 3,
  UoaOption = 4,
  UoaProtocol = 5,
}

/** How a packet is wrapped for a dest: ipvsadm's --tun-type, in the kernel's numbers. */
export enum TunnelType {
  Ipip = 0,
  Gue = 1,
  Gre = 2,
}

/** ipvsadm's --tun-nocsum, --tun-csum, --tun-remcsum, in the kernel's numbers. */
export enum TunnelChecksum {
  None = 0,
  Csum = 1,
  Remcsum = 2,
}

/** The ECN field of an outer header. */
export enum EcnMode {
  /** CE becomes ECT(0), the others are copied (RFC 3168 §9.1.1, full functionality). */
  Kernel = 0,
  /** Not-ECT (RFC 6040 §4.1, compatibility mode). */
  Rfc6040 = 1,
  /** As inside (RFC 6040 §4.1, normal mode). */
  Copy = 2,
}

export enum Scheduler {
  Rr = 1,
  Wrr = 2,
  Wlc = 3,
  Sh = 4,
  Lc = 5,
  Sed = 6,
  Nq = 7,
  Fo = 8,
  Ovf = 9,
  Twos = 10,
  Dh = 11,
  Mh = 12,
  Lblc = 13,
  Lblcr = 14,
  /** mh with a larger table. */
  Maglev = 15,
}

/** Service flags; the values are the kernel's IP_VS_SVC_F_*. */
export enum ServiceFlag {
  Persistent = 1,
  OnePacket = 4,
  /** sh-fallback, mh-fallback. */
  Sched1 = 8,
  /** sh-port, mh-port. */
  Sched2 = 16,
  Sched3 = 32,
  // Not one of the kernel's.
  SynProxy = 256,
}

/** Why a service's settings are refused: there is no room. */
export enum Refusal {
  None = 0,
  /** In the schedulers' memory. */
  Schedulers = 1,
  /** For a local address. */
  Locals = 2,
}

/** Persistence engines. */
export enum PersistenceEngine {
  None = 0,
  Sip = 1,
}

/** TCP states, in the kernel's order; UDP has the single state `Udp`; then SCTP's, in the kernel's order. */
export enum ConnState {
  None = 0,
  Established = 1,
  SynSent = 2,
  SynRecv = 3,
  FinWait = 4,
  TimeWait = 5,
  Close = 6,
  CloseWait = 7,
  LastAck = 8,
  Listen = 9,
  SynAck = 10,
  Udp = 11,

  SctpNone = 12,
  SctpInit1 = 13,
  SctpInit = 14,
  SctpCookieSent = 15,
  SctpCookieReplied = 16,
  SctpCookieWait = 17,
  SctpCookie = 18,
  SctpCookieEchoed = 19,
  SctpEstablished = 20,
  SctpShutdownSent = 21,
  SctpShutdownReceived = 22,
  SctpShutdownAckSent = 23,
  SctpRejected = 24,
  SctpClosed = 25,
}

/** Number of connection states, and so of entries in the timeout table. */
export const STATE_COUNT = 26;
