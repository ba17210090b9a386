/**
 * Weighted least connections: the smallest load for its weight; the earlier in the list wins ties.
 *
 * @module
 */
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { isLess, isUsable, overhead } from './load';

/** The usable dest with the least overhead / weight; 0 when none is usable. */
export function pickWlc(service: Service): usize {
  let least: Dest | null = null;
  let leastOverhead: i64 = 0;
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    const dest = changetype<Dest>(at);
    if (!isUsable(dest)) continue;
    const load = overhead(dest);
    if (least == null || isLess(load, dest, leastOverhead, least)) {
      least = dest;
      leastOverhead = load;
    }
  }
  return changetype<usize>(least);
}
