/**
 * Numbers that the control plane and the data plane both speak: protocols, methods, schedulers, states.
 *
 * @module
 */

/** IP protocol numbers (IANA). */
export enum Protocol {
  Icmp = 1,
  Ipip = 4,
  Tcp = 6,
  Udp = 17,
}

/** Forwarding methods, ipvsadm's -m, -g, -i; `Local` is how a listing shows a dest on this host. */
export enum Method {
  Masq = 0,
  Local = 1,
  Tunnel = 2,
  Route = 3,
}

export enum Scheduler {
  Rr = 1,
  Wrr = 2,
  Wlc = 3,
  Sh = 4,
}

/** Service flags; the values of the scheduler flags are the kernel's IP_VS_SVC_F_SCHED*. */
export enum ServiceFlag {
  /** sh-fallback. */
  Sched1 = 8,
  /** sh-port. */
  Sched2 = 16,
}

/** TCP states, in the kernel's order; UDP has the single state `Udp`. */
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
}

/** Number of connection states, and so of entries in the timeout table. */
export const STATE_COUNT = 12;
