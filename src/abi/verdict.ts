/**
 * What becomes of a frame, and why. Compiled by both tsc and asc: plain enums only.
 *
 * `src/reasons.ts` gives each reason its public name and text; `docs/reasons.md` is made from it.
 *
 * @module
 */

/** What the host does with a frame after a burst. */
export enum Verdict {
  /** Not judged yet. */
  None = 0,
  /** Rewritten in place: send it on the descriptor's out interface. */
  Forward = 1,
  /** For the host's own stack. */
  Local = 2,
  /** Not ours: the host does as it likes. The packet is unchanged; padding of the link is cut off. */
  Pass = 3,
  /** Discard it; the reason says why. */
  Drop = 4,
  /** Kept by the core (a fragment that waits for the others). */
  Held = 5,
}

/** Why. The number is the index of the reason's counter. */
export enum Reason {
  None = 0,

  // forward
  NatIn = 1,
  NatOut = 2,
  DirectRoute = 3,
  TunnelIpip = 4,
  Routed = 5,
  TimeExceeded = 6,
  PortUnreachable = 7,
  FragmentationNeeded = 8,
  HostUnreachable = 9,
  NetUnreachable = 10,
  TunnelGre = 11,
  TunnelGue = 12,
  IcmpIn = 13,
  IcmpOut = 14,
  Bypass = 15,
  FullNatIn = 27,
  FullNatOut = 28,
  ClientAddress = 29,
  Nat64In = 30,
  Nat64Out = 31,

  // local
  LocalDelivery = 16,
  NotOpening = 17,
  LocalDest = 18,
  Arp = 19,
  LinkGroup = 20,
  FtpData = 21,
  Decapsulated = 22,
  LocalClient = 23,

  // forward, again
  IcmpRelayed = 24,
  FragmentPiece = 25,
  ParameterProblem = 26,
  SnatIn = 33,
  SnatOut = 34,

  // pass
  NotIp = 32,
  NotForwarding = 36,

  // held
  FragmentHeld = 40,
  SynProxyHeld = 41,

  // drop: the frame itself
  BadDescriptor = 48,
  UnknownInterface = 49,
  LinkTruncated = 50,
  OtherHost = 51,
  UnknownVlan = 52,
  Ipv4Truncated = 53,
  Ipv4Version = 54,
  Ipv4HeaderLength = 55,
  Ipv4Checksum = 56,
  Ipv4TotalLength = 57,
  Ipv4Option = 58,
  SourceRoute = 59,
  MartianSource = 60,
  MartianDestination = 61,
  TransportTruncated = 62,
  TunnelMalformed = 63,
  TunnelEcn = 64,
  Ipv6Truncated = 65,
  Ipv6Version = 66,
  Ipv6PayloadLength = 67,
  Ipv6Extension = 68,
  IcmpChecksum = 69,
  FragmentOverlap = 70,
  FragmentMalformed = 71,
  FragmentLimit = 72,
  FragmentTimeout = 73,
  FragmentDuplicate = 74,
  TunnelChecksum = 75,
  TcpChecksum = 76,
  TcpOption = 77,

  // drop: what we were to do with it
  TtlExceeded = 80,
  TooBig = 81,
  NoDest = 83,
  DestUnavailable = 84,
  TableFull = 86,
  NoRoute = 87,
  NoNeighbour = 88,
  TunnelMtu = 89,
  NoHeadroom = 90,
  LocalBoundary = 91,
  InterfaceDown = 92,
  NoConnection = 93,
  IcmpConsumed = 94,
  NoRoom = 95,
  NoCallId = 96,
  DropPacket = 97,
  DropEntry = 98,
  // By Kind.
  EvictedHalfOpen = 99,
  EvictedClosing = 100,
  EvictedDatagram = 101,
  EvictedEstablished = 102,
  NoLocalPort = 103,
  ClientPortZero = 104,
  ClientAddressLost = 105,
  IcmpUntranslatable = 111,

  // SYN proxy: forward; local; drop
  SynCookie = 112,
  SynProxied = 113,
  SynProxyAck = 114,
  SynProxyReset = 115,
  BadCookie = 116,
  SynProxyWait = 117,
  SynProxyMismatch = 118,
  AckStorm = 119,

  // At its time: forward
  ExpiredReset = 120,
}

/** Number of reason counters. */
export const REASON_COUNT = 128;
