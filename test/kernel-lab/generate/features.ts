/**
 * What cases leave out: where core and kernel are known to differ, or nobody has held them together yet.
 *
 * @module
 */

import { SCHEDULER_NAMES } from '../../../src/schedulers.js';

export const FEATURES = {
  /** The last service of a family goes: the kernel's IPVS then lets all packets of the family pass. */
  lastService: false,
  /** `cache_bypass`. */
  bypass: true,
  /** Marked broadcasts: the kernel finds their connections without the mark, too. */
  markedBroadcasts: false,
};

/** All but twos, which draws at random. */
export const SCHEDULERS = SCHEDULER_NAMES.filter((name) => name !== 'twos' && name !== 'maglev');
