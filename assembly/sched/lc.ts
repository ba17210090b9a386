/**
 * Least connections: the smallest load, whatever its weight; the earlier in the list wins ties.
 *
 * @module
 */
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { isUsable, overhead } from './load';

/** The usable dest with the least overhead; 0 when none is usable. */
export function pickLc(service: Service): usize {
  let least: usize = 0;
  let leastOverhead: i64 = 0;
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    const dest = changetype<Dest>(at);
    if (!isUsable(dest)) continue;
    const load = overhead(dest);
    if (least == 0 || load < leastOverhead) {
      least = at;
      leastOverhead = load;
    }
  }
  return least;
}
