/**
 * What cases leave out: where core and kernel are known to differ, or nobody has held them together yet.
 *
 * @module
 */

export const FEATURES = {
  /** Clients that send from port 0: the kernel never finds their connections again. */
  portZero: false,
  /** 0.0.0.0/8, which is as good as any other since Linux 5.3. */
  zeroNet: false,
  /** Directed broadcast addresses as sources, which only `rp_filter` refuses. */
  broadcastSource: false,
  /** TCP and UDP headers that are cut off, with a TTL that has run out. */
  cutTransport: false,
  /** The last service of a family goes: the kernel's IPVS then lets all packets of the family pass. */
  lastService: false,
  /** `expire_nodest_conn`: the kernel ends all connections of a dest as soon as it is deleted. */
  expireNodest: false,
  /** `cache_bypass`. */
  bypass: false,
};

/** Schedulers that the core has. */
export const SCHEDULERS = ['rr', 'wrr', 'wlc', 'sh'] as const;
