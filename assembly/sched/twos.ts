/**
 * The power of two choices: of two dests drawn by their weights, the one with the lesser load for its weight.
 *
 * @module
 */
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { drawUpTo } from '../superblock';
import { isLess, isUsable, overhead } from './load';

/** One of two usable dests; 0 when none is usable. */
export function pickTwos(service: Service): usize {
  let sum: u32 = 0;
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    const dest = changetype<Dest>(at);
    if (isUsable(dest)) sum += dest.weight;
  }
  if (sum == 0) return 0;
  const first = drawn(service, drawUpTo(sum));
  const second = drawn(service, drawUpTo(sum));
  const isSecond = isLess(overhead(second), second, overhead(first), first);
  return changetype<usize>(isSecond ? second : first);
}

/** The usable dest at which the sum of the weights reaches `at`; 0 is the first one's, too, as in the kernel. */
function drawn(service: Service, at: u32): Dest {
  let last = changetype<Dest>(service.dests);
  let sum: u32 = 0;
  for (let address = service.dests; address != 0; address = last.next) {
    last = changetype<Dest>(address);
    if (!isUsable(last)) continue;
    sum += last.weight;
    if (sum >= at) break;
  }
  return last;
}
