/**
 * What cases leave out: where core and kernel are known to differ, or nobody has held them together yet.
 *
 * @module
 */

export const FEATURES = {
  /** The last service of a family goes: the kernel's IPVS then lets all packets of the family pass. */
  lastService: false,
  /** `cache_bypass`. */
  bypass: false,
};

/** Schedulers that the core has. */
export const SCHEDULERS = ['rr', 'wrr', 'wlc', 'sh'] as const;
