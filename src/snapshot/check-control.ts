/**
 * Whether it holds together who controls whom in a snapshot, and what connections with a helper have.
 *
 * @module
 */
import * as abi from '../abi/memory.js';
import { Method } from '../abi/protocol.js';
import { type AllRecords, fail, type Records } from './inspect.js';

interface One {
  readonly records: Records;
  readonly index: number;
  readonly isTemplate: boolean;
  /** Number of its extension. */
  readonly extension: number | undefined;
}

/** Each extension in use is of one connection, each count of those controlled is right; `waiting`: SB_NO_CPORT. */
export function checkControl(all: AllRecords, waiting: number): void {
  const owners = new Uint8Array(all.extensions.count);
  const controls = new Map<number, number>();
  let expecting = 0;
  for (const one of connections(all)) {
    const { extension, isTemplate, records, index } = one;
    if (extension !== undefined) {
      if (owners[extension] !== 0) fail(`extension ${extension} is of two connections`);
      owners[extension] = 1;
      if (all.extensions.byte(extension, abi.EXT_FTP) > abi.FtpMode.Epsv) fail('EXT_FTP');
      const isAwaiting = (all.extensions.byte(extension, abi.EXT_FLAGS) & abi.ExtensionFlag.Awaiting) !== 0;
      if (isAwaiting && all.extensions.word(extension, abi.EXT_PROXY_STORED) !== 0) fail('EXT_PROXY_STORED');
      if (records.word(index, abi.CONN_DEST) === 0) fail('an extension is of a connection without a dest');
    }
    if (isTemplate) continue;
    const control = controlOf(all, one);
    if (control === 0) continue;
    const controller = at(all, control);
    if (!controller.isTemplate && controller.extension === undefined) fail('CONN_CONTROL is nobody who controls');
    controls.set(control, (controls.get(control) ?? 0) + 1);
    const isHidden = (records.byte(index, abi.CONN_FLAGS) & abi.ConnFlag.Hidden) !== 0;
    const port = records.word(index, abi.CONN_CPORT_BE) & 0xffff;
    if (port === 0 && !isHidden && !controller.isTemplate) expecting++;
  }
  if (owners.reduce((sum, each) => sum + each, 0) !== all.extensions.inUse) fail('an extension is of no connection');
  if (expecting !== waiting) fail(`SB_NO_CPORT is ${waiting}, expected ${expecting}`);
  for (const { records, index, isTemplate, extension } of connections(all)) {
    const expected = controls.get(records.address(index)) ?? 0;
    if (!isTemplate && (extension === undefined || isFull(records, index))) continue;
    const count = isTemplate
      ? records.word(index, abi.CONN_CONTROLS)
      : all.extensions.word(extension!, abi.EXT_CONTROLS);
    if (count !== expected) fail(`a connection controls ${count}, expected ${expected}`);
  }
}

/** All that are in use. */
function* connections(all: AllRecords): Generator<One> {
  for (const records of [all.conns, all.conns6]) {
    for (let index = 0; index < records.count; index++)
      if (records.used[index] !== 0) yield describe(all, records, index);
  }
}

function describe({ extensions }: AllRecords, records: Records, index: number): One {
  const isTemplate = (records.byte(index, abi.CONN_FLAGS) & abi.ConnFlag.Template) !== 0;
  const control = records.word(index, abi.CONN_CONTROL);
  const isExtended = !isTemplate && (control & abi.EXTENDED) !== 0;
  const extension = isExtended ? extensions.at(control - abi.EXTENDED, 'CONN_CONTROL') : undefined;
  return { records, index, isTemplate, extension };
}

/** By FullNAT or SNAT: it controls nobody, and has something else where that is noted. */
function isFull(records: Records, index: number): boolean {
  return records.byte(index, abi.CONN_METHOD) >= Method.FullNat;
}

function controlOf(all: AllRecords, { records, index, extension }: One): number {
  return extension === undefined
    ? records.word(index, abi.CONN_CONTROL)
    : all.extensions.word(extension, abi.EXT_CONTROL);
}

function at(all: AllRecords, address: number): One {
  const records = address < all.conns6.base ? all.conns : all.conns6;
  return describe(all, records, records.at(address, 'CONN_CONTROL'));
}
