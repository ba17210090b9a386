/**
 * The interface table, which the host fills.
 *
 * @module
 */
import { SB_INTERFACE_COUNT, SB_INTERFACES } from '../../src/abi/superblock';
import { IF_FLAGS, IF_MAC, IF_PARENT, IF_VLAN, INTERFACE_SIZE, InterfaceFlag } from '../../src/abi/tables';
import { field } from '../superblock';

/** Index that no interface has. */
export const NO_INTERFACE: u32 = 0xffff;

/** Address of the record of interface `index`, which must exist. */
export function interfaceAt(index: u32): usize {
  return <usize>field(SB_INTERFACES) + <usize>index * INTERFACE_SIZE;
}

/** Whether interface `index` has the flag. */
export function interfaceHas(index: u32, flag: InterfaceFlag): bool {
  return (load<u32>(interfaceAt(index), IF_FLAGS) & <u32>flag) != 0;
}

/** Address of the interface's MAC. */
export function interfaceMac(index: u32): usize {
  return interfaceAt(index) + IF_MAC;
}

/** VLAN identifier, IF_VLAN_NONE for an untagged interface. */
export function interfaceVlan(index: u32): u32 {
  return load<u16>(interfaceAt(index), IF_VLAN);
}

/** The interface for VLAN `identifier` on `parent`, NO_INTERFACE when there is none. */
export function findVlan(parent: u32, identifier: u32): u32 {
  const count = field(SB_INTERFACE_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const record = interfaceAt(i);
    if (load<u16>(record, IF_VLAN) == identifier && load<u32>(record, IF_PARENT) == parent) return i;
  }
  return NO_INTERFACE;
}

/** The first interface that is up and takes packets out of that kind of tunnel, NO_INTERFACE when there is none. */
export function findTunnel(kind: u32): u32 {
  if (kind == 0) return NO_INTERFACE;
  const count = field(SB_INTERFACE_COUNT);
  const wanted = InterfaceFlag.Up | kind;
  for (let i: u32 = 0; i < count; i++) {
    if ((load<u32>(interfaceAt(i), IF_FLAGS) & wanted) == wanted) return i;
  }
  return NO_INTERFACE;
}
