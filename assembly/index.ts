/**
 * The exports of the core, and nothing else.
 *
 * Addresses and ports are in network order, as loaded; records are named by their address.
 *
 * @module
 */
import { Conn } from './conn/record';
import { advanceClock, endConnection } from './conn/table';
import * as control from './control';
import { processBurst } from './pipeline';
import { Dest } from './service/dest';
import * as services from './service/service';

/** Judges the frames of the burst at time `now` (milliseconds); returns the number of descriptors. */
export function process(now: f64): u32 {
  advanceClock(<u64>now);
  return processBurst();
}

/** Lets time pass without a packet. */
export function advance(now: f64): void {
  advanceClock(<u64>now);
}

/** The service of this key, 0 when there is none. */
export function findService(protocol: u32, addressBE: u32, portBE: u32): usize {
  return services.findService(protocol, addressBE, portBE);
}

/** Adds a service; 0 when the table is full. */
export function addService(protocol: u32, addressBE: u32, portBE: u32, scheduler: u32, flags: u32): usize {
  return control.addService(protocol, addressBE, portBE, scheduler, flags);
}

/** Changes a service's scheduler and flags. */
export function editService(service: usize, scheduler: u32, flags: u32): void {
  control.editService(changetype<services.Service>(service), scheduler, flags);
}

/** Deletes a service and its dests. */
export function deleteService(service: usize): void {
  control.deleteService(changetype<services.Service>(service));
}

/** The dest of this address in a service, 0 when there is none. */
export function findDest(service: usize, addressBE: u32, portBE: u32): usize {
  return services.findDest(changetype<services.Service>(service), addressBE, portBE);
}

/** Adds a dest, to be followed by `setDest`; 0 when the table is full. */
export function addDest(service: usize, addressBE: u32, portBE: u32): usize {
  return control.addDest(changetype<services.Service>(service), addressBE, portBE);
}

/** Sets method, weight and thresholds of a dest. */
export function setDest(dest: usize, method: u32, weight: i32, upper: u32, lower: u32): void {
  control.setDest(changetype<Dest>(dest), method, weight, upper, lower);
}

/** Deletes a dest. */
export function deleteDest(service: usize, dest: usize): void {
  control.deleteDest(changetype<services.Service>(service), changetype<Dest>(dest));
}

/** Ends a connection now. */
export function deleteConnection(conn: usize): void {
  endConnection(changetype<Conn>(conn));
}
