/**
 * The exports of the core, and nothing else.
 *
 * Addresses and ports are in network order, as loaded; records are named by their address.
 *
 * @module
 */
import { SB_ARG_ADDRESS, SB_ARG_DEST, SUPERBLOCK } from '../src/abi/superblock';
import { expireNow } from './conn/control';
import { defend, updateDefence as updateLevel } from './conn/defence';
import * as expiry from './conn/expiry';
import { Conn } from './conn/record';
import * as table from './conn/table';
import * as control from './control';
import { expireFragments } from './flow/reassembly';
import { processBurst } from './pipeline';
import { Dest } from './service/dest';
import { estimate } from './service/estimator';
import * as services from './service/service';
import { now32 } from './superblock';

/** Ends what is due. */
function pass(to: u64): void {
  expiry.advanceClock(to);
  estimate(to);
  defend(to);
  expireFragments(now32());
}

/** Judges the frames of the burst at time `now` (milliseconds); returns the number of descriptors. */
export function process(now: f64): u32 {
  pass(<u64>now);
  return processBurst();
}

/** Lets time pass without a packet. */
export function advance(now: f64): void {
  pass(<u64>now);
}

/** The service of this key, 0 when there is none; its address is in SB_ARG_ADDRESS. */
export function findService(family: u32, protocol: u32, portBE: u32, fwmark: u32): usize {
  return services.findService(family, SUPERBLOCK + SB_ARG_ADDRESS, protocol, portBE, fwmark);
}

/** Adds a service, to be followed by `editService`; 0 when the table is full. Its address is in SB_ARG_ADDRESS. */
export function addService(family: u32, protocol: u32, portBE: u32, fwmark: u32): usize {
  return services.makeService(family, SUPERBLOCK + SB_ARG_ADDRESS, protocol, portBE, fwmark);
}

/**
 * Sets what a service has beside its name; a Refusal, and nothing has changed, when there is no room. Its local addresses,
 * `locals` of ADDRESS_SIZE bytes, are where the scratch records are.
 */
export function editService(
  service: usize,
  scheduler: u32,
  flags: u32,
  timeout: u32,
  netmask: u32,
  engine: u32,
  profile: u32,
  carry: u32,
  locals: u32,
): u32 {
  const edited = changetype<services.Service>(service);
  return control.editService(edited, scheduler, flags, timeout, netmask, engine, profile, carry, locals);
}

/** Deletes a service and its dests. */
export function deleteService(service: usize): void {
  control.deleteService(changetype<services.Service>(service));
}

/** The dest of the address in SB_ARG_DEST in a service, 0 when there is none. */
export function findDest(service: usize, family: u32, portBE: u32): usize {
  return services.findDest(changetype<services.Service>(service), family, SUPERBLOCK + SB_ARG_DEST, portBE);
}

/** Adds a dest of the address in SB_ARG_DEST, to be followed by `setDest`, which has it by SNAT or not; 0 when the table is full, or a Refusal. */
export function addDest(service: usize, family: u32, portBE: u32, isSnat: bool): usize {
  return control.addDest(changetype<services.Service>(service), family, SUPERBLOCK + SB_ARG_DEST, portBE, isSnat);
}

/** Sets method, weight, thresholds and tunnel of a dest; a Refusal when there is no room, and nothing has changed. */
export function setDest(
  dest: usize,
  method: u32,
  weight: i32,
  upper: u32,
  lower: u32,
  tunnelType: u32,
  tunnelPortBE: u32,
  tunnelChecksum: u32,
): u32 {
  const edited = changetype<Dest>(dest);
  return control.setDest(edited, method, weight, upper, lower, tunnelType, tunnelPortBE, tunnelChecksum);
}

/** Deletes a dest. */
export function deleteDest(service: usize, dest: usize): void {
  control.deleteDest(changetype<services.Service>(service), changetype<Dest>(dest));
}

/** Empties the list of a service. Until `linkDest` has put them into it again, its dests are in none. */
export function unlinkDests(service: usize): void {
  control.unlinkDests(changetype<services.Service>(service));
}

/** Puts a dest at the head of its service's list. `last`: the list is whole. */
export function linkDest(dest: usize, last: bool): void {
  control.linkDest(changetype<Dest>(dest), last);
}

/** Lets another mode of the defence count at once. */
export function updateDefence(): void {
  updateLevel();
}

/** Ends the connections of all dests that were deleted. */
export function endAbandoned(): void {
  expiry.endAbandoned();
}

/** Ends a connection now, or in a minute if it controls others. */
export function deleteConnection(conn: usize): void {
  expireNow(changetype<Conn>(conn));
}

// For snapshots: what is found by a hash is put where it belongs anew.

/** Lets a restored service be found by its key. */
export function linkService(service: usize): void {
  services.linkService(changetype<services.Service>(service));
}

/** Address of the index bucket where the entry `ref` belongs. */
export function homeOf(ref: u32): usize {
  return table.homeOf(ref);
}

/** Puts entries of restored connections into the index, behind others of their tuples; the scratch records have their refs. */
export function putEntries(count: u32): void {
  table.putEntries(count);
}
