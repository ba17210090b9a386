/**
 * The reference against captures from a real Linux 6.1 director: every frame, byte for byte, in order per interface.
 *
 * Masked is what the director chooses itself: the IP identification of its own ICMP errors and of tunnel packets without
 * DF, with the header checksum that follows.
 */
import { describe, expect, it } from 'vitest';
import {
  checksumIsRight,
  IP_FLAG,
  PROTOCOL,
  parseIpv4,
  ReferenceDirector,
  type ReferenceOutcome,
} from '../../src/reference/index.js';
import { type CapturedFrame, type Listing, listDirector, loadScenario, toHex } from './support.js';

/** Frames compared, those of them masked, and listings of connections and dests compared. */
interface Counts {
  compared: number;
  maskedIds: number;
  listings: number;
}

const SCENARIOS: Record<string, Counts> = {
  'nat-tcp': { compared: 98, maskedIds: 0, listings: 1 },
  'nat-udp': { compared: 36, maskedIds: 0, listings: 1 },
  'nat-ttl': { compared: 24, maskedIds: 8, listings: 7 },
  'nat-ipopt': { compared: 21, maskedIds: 0, listings: 1 },
  'dr-tcp': { compared: 46, maskedIds: 0, listings: 1 },
  'dr-udp': { compared: 27, maskedIds: 2, listings: 1 },
  'tun-ipip': { compared: 32, maskedIds: 6, listings: 1 },
  'tun-ipip-fields': { compared: 46, maskedIds: 21, listings: 1 },
  'sched-rr': { compared: 142, maskedIds: 4, listings: 3 },
  'sched-wrr': { compared: 142, maskedIds: 4, listings: 3 },
  'sched-wlc': { compared: 142, maskedIds: 4, listings: 3 },
  'sched-sh': { compared: 142, maskedIds: 10, listings: 3 },
  'sched-sh-port': { compared: 142, maskedIds: 9, listings: 3 },
  'sched-sh-fallback': { compared: 142, maskedIds: 4, listings: 3 },
};

describe.each(Object.entries(SCENARIOS))('%s', (name, counts) => {
  it('sends what the kernel sent', () => {
    const replayed = replay(name);
    for (const [side, differences] of replayed.differences) expect(differences, side).toEqual([]);
    expect(replayed.counts).toEqual(counts);
  });
});

function replay(name: string): { differences: Map<string, string[]>; counts: Counts } {
  const scenario = loadScenario(name);
  const director = new ReferenceDirector({ network: scenario.network });
  const emitted = new Map<string, ReferenceOutcome[]>([...scenario.output.keys()].map((side) => [side, []]));
  const counts = { compared: 0, maskedIds: 0, listings: 0 };
  const steps = [...scenario.events, ...scenario.listings, ...scenario.input];
  // A stable sort keeps a command in front of a frame of the same time.
  steps.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));

  for (const step of steps) {
    if ('apply' in step) step.apply(director);
    else if ('dests' in step) counts.listings += compareListing(director, step);
    else {
      const forwarded = judge(director, step).filter((outcome) => outcome.verdict === 'forward');
      for (const outcome of forwarded) emitted.get(outcome.outInterface!)!.push(outcome);
    }
  }

  const differences = new Map<string, string[]>();
  for (const [side, expected] of scenario.output) {
    counts.compared += expected.length;
    differences.set(side, compare(emitted.get(side)!, expected, counts));
  }
  return { differences, counts };
}

function judge(director: ReferenceDirector, frame: CapturedFrame & { interface: string }): ReferenceOutcome[] {
  return director.send(frame.bytes, frame.interface, Number(frame.time) / 1e6);
}

/** States, timers within two seconds, and counts, as ipvsadm listed them. Returns how many listings it compared. */
function compareListing(director: ReferenceDirector, theirs: Listing): number {
  const ours = listDirector(director, theirs.time);
  expect(ours.dests).toEqual(theirs.dests);
  expect(ours.connections.map((each) => each.words)).toEqual(theirs.connections.map((each) => each.words));
  for (const [i, each] of ours.connections.entries()) {
    expect(Math.abs(each.expires - theirs.connections[i]!.expires), each.words).toBeLessThan(2);
  }
  return 1;
}

function compare(ours: ReferenceOutcome[], theirs: CapturedFrame[], counts: Counts): string[] {
  const differences: string[] = [];
  for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
    const [our, their] = [ours[i], theirs[i]];
    const ourHex = our && toHex(their === undefined ? our.frame : mask(our, their, counts));
    const theirHex = their && toHex(their.bytes);
    if (ourHex !== theirHex) differences.push(`frame ${i}: ${our?.reason} ${ourHex}, the kernel's: ${theirHex}`);
  }
  return differences;
}

/** Our frame with the identification that the kernel chose, and the header checksum that goes with it. */
function mask(outcome: ReferenceOutcome, their: CapturedFrame, counts: Counts): Uint8Array {
  const packet = parseIpv4(outcome.frame.subarray(14));
  const tunnelWithoutDf = packet.protocol === PROTOCOL.ipip && (packet.flags & IP_FLAG.dontFragment) === 0;
  const isOwn = outcome.made && outcome.reason !== 'fragment';
  if (!isOwn && !tunnelWithoutDf) return outcome.frame;
  counts.maskedIds += 1;
  expect(checksumIsRight(outcome.frame.subarray(14, 34)), 'our own header checksum').toBe(true);
  const masked = outcome.frame.slice();
  for (const at of [18, 19, 24, 25]) masked[at] = their.bytes[at]!;
  return masked;
}
