/**
 * Locality-based least connections: what goes to one destination address stays with one dest (lblc), or a few (lblcr), as
 * long as these are not overloaded.
 *
 * @module
 */
import { SB_LBLC_EXPIRATION, SB_LBLCR_EXPIRATION } from '../../src/abi/superblock';
import { Dest } from '../service/dest';
import { Service } from '../service/service';
import { field, now32 } from '../superblock';
import { addMember, dropMember, Entry, findEntry, Member, makeEntry } from './cache';
import { isLess, isUsable, overhead } from './load';
import { pickWlc } from './wlc';

/** lblc: the dest that serves this address already, else the one that wlc picks; 0 when there is none. `address`: 16 bytes. */
export function pickLblc(service: Service, address: usize): usize {
  const cache = service.table;
  let found = findEntry(cache, address, field(SB_LBLC_EXPIRATION));
  if (found != 0) {
    const members = changetype<Entry>(found).members;
    if (members != 0) {
      const dest = changetype<Member>(members).dest;
      if (dest.isAvailable && dest.weight > 0 && !isBusy(service, dest)) return changetype<usize>(dest);
    }
  }
  const picked = pickWlc(service);
  if (picked == 0) return 0;
  if (found == 0) found = makeEntry(cache, address);
  if (found == 0) return picked;
  const entry = changetype<Entry>(found);
  const members = entry.members;
  if (members != 0 && changetype<usize>(changetype<Member>(members).dest) != picked) {
    dropMember(cache, entry, changetype<Member>(members).dest);
  }
  addMember(cache, entry, changetype<Dest>(picked));
  return picked;
}

/** lblcr: the least loaded of the dests that serve this address; else the one that wlc picks, which serves it then, too. */
export function pickLblcr(service: Service, address: usize): usize {
  const cache = service.table;
  const expiration = field(SB_LBLCR_EXPIRATION);
  let found = findEntry(cache, address, expiration);
  if (found != 0) {
    const entry = changetype<Entry>(found);
    const least = leastOf(entry);
    // A set that has been as it is for long is one too large.
    if (entry.size > 1 && now32() - entry.modified > expiration) {
      const most = mostOf(entry);
      if (most != 0) dropMember(cache, entry, changetype<Dest>(most));
    }
    if (least != 0 && !isBusy(service, changetype<Dest>(least))) return least;
  }
  const picked = pickWlc(service);
  if (picked == 0) return 0;
  if (found == 0) found = makeEntry(cache, address);
  if (found != 0) addMember(cache, changetype<Entry>(found), changetype<Dest>(picked));
  return picked;
}

/** More active connections than its weight, while another dest has less than half of its own. */
function isBusy(service: Service, dest: Dest): bool {
  if (<i64>dest.active <= <i64>dest.weight) return false;
  for (let at = service.dests; at != 0; at = changetype<Dest>(at).next) {
    const other = changetype<Dest>(at);
    if (<i64>other.active * 2 < <i64>other.weight) return true;
  }
  return false;
}

/** The usable member of the least load for its weight, the newest of equal ones; 0 when none is usable. */
function leastOf(entry: Entry): usize {
  let least: Dest | null = null;
  let leastOverhead: i64 = 0;
  for (let at = entry.members; at != 0; at = changetype<Member>(at).next) {
    const dest = changetype<Member>(at).dest;
    if (!isUsable(dest) || !dest.isAvailable) continue;
    const load = overhead(dest);
    if (least == null || isLess(load, dest, leastOverhead, least)) {
      least = dest;
      leastOverhead = load;
    }
  }
  return changetype<usize>(least);
}

/** The member of the highest load for its weight, deleted ones too, the newest of equal ones; 0 when all have weight 0. */
function mostOf(entry: Entry): usize {
  let most: Dest | null = null;
  let mostOverhead: i64 = 0;
  for (let at = entry.members; at != 0; at = changetype<Member>(at).next) {
    const dest = changetype<Member>(at).dest;
    if (dest.weight <= 0) continue;
    const load = overhead(dest);
    if (most == null || isLess(mostOverhead, most, load, dest)) {
      most = dest;
      mostOverhead = load;
    }
  }
  return changetype<usize>(most);
}
