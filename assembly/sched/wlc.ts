/**
 * Weighted least connections: the smallest load for its weight; the earlier in the list wins ties.
 *
 * @module
 */
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { isUsable } from './index';

/** Load of a dest: an active connection weighs as much as 256 inactive ones. */
function overhead(dest: Dest): i64 {
  return ((<i64>dest.active) << 8) + <i64>dest.inactive;
}

/** The usable dest with the least overhead / weight, compared crosswise; 0 when none is usable. */
export function pickWlc(service: Service): usize {
  let at = service.dests;
  while (at != 0 && !isUsable(changetype<Dest>(at))) at = changetype<Dest>(at).next;
  if (at == 0) return 0;
  let least = changetype<Dest>(at);
  let leastOverhead = overhead(least);
  for (at = least.next; at != 0; at = changetype<Dest>(at).next) {
    const dest = changetype<Dest>(at);
    if (dest.isOverloaded) continue;
    const load = overhead(dest);
    if (leastOverhead * <i64>dest.weight > load * <i64>least.weight) {
      least = dest;
      leastOverhead = load;
    }
  }
  return changetype<usize>(least);
}
