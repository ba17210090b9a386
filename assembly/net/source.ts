/**
 * The source address of ICMPv6 errors.
 *
 * @module
 */
import { SB_ROUTE6_COUNT, SB_ROUTES6 } from '../../src/abi/superblock';
import { ROUTE6_INTERFACE, ROUTE6_SIZE, ROUTE6_SOURCE, ROUTE6_SRC, ROUTE6_TYPE, RouteType } from '../../src/abi/tables';
import { field } from '../superblock';
import { commonBits6, isLinkLocal6 } from '../wire/ipv6';
import { findRoute6 } from './hop';

/** Scope and interface count for more than all bits of an address (RFC 6724 §5, rules 2, 5 and 8). */
const SAME_SCOPE: u32 = 512;
const SAME_INTERFACE: u32 = 256;

/**
 * Where the address is that an ICMPv6 error to `address` comes from: the route's own word, or else the one that suits best
 * among those of the interface which the offending packet came in by. 0: there is none.
 */
export function errorSource6(address: usize, receivedOn: u32): usize {
  const back = findRoute6(address);
  if (back != 0 && load<u32>(back, ROUTE6_TYPE) != RouteType.Local && load<u32>(back, ROUTE6_SOURCE) != 0) {
    return back + ROUTE6_SRC;
  }
  const toLink = isLinkLocal6(address);
  let best: usize = 0;
  let most: u32 = 0;
  let own = <usize>field(SB_ROUTES6);
  const end = own + <usize>field(SB_ROUTE6_COUNT) * ROUTE6_SIZE;
  for (; own < end && load<u32>(own, ROUTE6_TYPE) == RouteType.Local; own += ROUTE6_SIZE) {
    const link = load<u32>(own, ROUTE6_SOURCE);
    const isHere = load<u32>(own, ROUTE6_INTERFACE) == receivedOn;
    // Addresses of one link go to no other (§4).
    if (link == 0 || (toLink && !isHere)) continue;
    let suits: u32 = 1 + min<u32>(commonBits6(own, address), link);
    if (isLinkLocal6(own) == toLink) suits += SAME_SCOPE;
    if (isHere) suits += SAME_INTERFACE;
    if (suits <= most) continue;
    most = suits;
    best = own;
  }
  return best;
}
