/**
 * Reads a scenario folder: four captures, `scenario.json`, and `note.json` when there is one.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { linkKind } from '../capture/link-type.js';
import { readCapture } from '../capture/reader.js';
import { IpvsError } from '../errors.js';
import { networkFromScenario } from '../rules/network.js';
import type { NetworkConfig } from '../types.js';
import type { CapturedFrame } from './compare.js';
import { eventsOf, parseScenario, type ScenarioEvent } from './events.js';
import { type Look, loadLooks } from './listings.js';
import { CAPTURES, type CaptureName, isRecord, type LeftOut, leftOutOf, readNote } from './note.js';

/** A scenario folder, read. */
export interface Scenario {
  readonly network: NetworkConfig;
  /** The director's own addresses, without prefix length. */
  readonly addresses: ReadonlySet<string>;
  /** The MACs of its interfaces. */
  readonly macs: ReadonlySet<string>;
  readonly events: readonly ScenarioEvent[];
  /** Without the frames that are left out; numbers are those of the file. */
  readonly captures: Readonly<Record<CaptureName, readonly CapturedFrame[]>>;
  readonly leftOut: readonly LeftOut[];
  /** What ipvsadm printed, by time. */
  readonly looks: readonly Look[];
}

/**
 * Reads a scenario folder.
 *
 * @throws {IpvsError} `BAD_INPUT` or `BAD_CAPTURE` when a file is not in its format or frames are missing from it; the
 *   system's error when one cannot be read
 */
export async function loadScenario(folder: string): Promise<Scenario> {
  const file = join(folder, 'scenario.json');
  const scenario = parseScenario(await readFile(file, 'utf8'), file);
  const events = eventsOf(scenario);
  const topology = isRecord(scenario.topology) ? scenario.topology : {};
  const network = {
    ...networkFromScenario(topology.director),
    // A recording names the modules that matter where it says what it is.
    ...(String(scenario.description).includes('ip_vs_ftp') && { ip_vs_ftp: {} }),
  };
  const leftOut = await readNote(folder);
  const captures: Partial<Record<CaptureName, CapturedFrame[]>> = {};
  for (const name of CAPTURES) {
    const frames = await readFrames(folder, name);
    checkCount(scenario, name, frames.length);
    const without = leftOutOf(leftOut, name, frames.length);
    captures[name] = frames.filter(({ number }) => !without.has(number));
  }
  const addresses = new Set(
    network.interfaces.flatMap((item) => (item.addresses ?? []).map((text) => text.replace(/\/.*/, ''))),
  );
  const macs = new Set(network.interfaces.flatMap(({ mac }) => mac ?? []));
  const looks = await loadLooks(folder, scenario);
  return {
    network,
    addresses,
    macs,
    events,
    captures: captures as Record<CaptureName, CapturedFrame[]>,
    leftOut,
    looks,
  };
}

async function readFrames(folder: string, name: CaptureName): Promise<CapturedFrame[]> {
  const frames: CapturedFrame[] = [];
  for await (const { timestamp, data, originalLength, linkType } of readCapture(join(folder, `${name}.pcap`))) {
    const number = frames.length + 1;
    if (linkKind(linkType) !== 'ether') throw new IpvsError('BAD_CAPTURE', `${name}.pcap: not an Ethernet capture`);
    if (originalLength !== data.length) {
      throw new IpvsError('BAD_CAPTURE', `${name}.pcap: frame ${number} was cut off by the capture`);
    }
    // The reader's bytes are only good until the next packet.
    frames.push({ number, time: timestamp, data: data.slice() });
  }
  return frames;
}

/** A capture that lost frames at its end still reads well: `scenario.json` says how many there were. */
function checkCount(scenario: Record<string, unknown>, name: CaptureName, count: number): void {
  const stated = isRecord(scenario.captures) ? scenario.captures[name] : undefined;
  const packets = isRecord(stated) ? stated.packets : undefined;
  if (typeof packets !== 'number') {
    throw new IpvsError('BAD_INPUT', `scenario.json: captures.${name}.packets: expected the number of frames`);
  }
  if (packets !== count) {
    throw new IpvsError('BAD_CAPTURE', `${name}.pcap: ${count} frames, scenario.json says ${packets}`);
  }
}
