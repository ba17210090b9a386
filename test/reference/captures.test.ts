/**
 * The reference against captures from a real Linux 6.1 director: every frame, byte for byte, in order per interface.
 *
 * Masked is what the director chooses itself: the IP identification of its own ICMP errors and of tunnel packets without
 * DF, with the header checksum that follows. Left out, and counted, is what belongs to fragments.
 */
import { describe, expect, it } from 'vitest';
import {
  checksumIsRight,
  IP_FLAG,
  PROTOCOL,
  parseEthernet,
  parseIpv4,
  ReferenceDirector,
  type ReferenceOutcome,
} from '../../src/reference/index.js';
import { type CapturedFrame, type Listing, listDirector, loadScenario, toHex } from './support.js';

/** Frames compared, and by the names of the rules below those left out or masked. */
const NONE: Counts = {
  compared: 0,
  inputFragments: 0,
  outputFragments: 0,
  needFragmenting: 0,
  maskedIds: 0,
  listings: 0,
};

const SCENARIOS: Record<string, Counts> = {
  'nat-tcp': { ...NONE, compared: 98, listings: 1 },
  'nat-udp': { ...NONE, compared: 36, listings: 1 },
  'nat-ttl': { ...NONE, compared: 24, maskedIds: 8, listings: 7 },
  'nat-ipopt': { ...NONE, compared: 21, listings: 1 },
  'dr-tcp': { ...NONE, compared: 46, listings: 1 },
  'dr-udp': { ...NONE, compared: 18, inputFragments: 9, outputFragments: 9, maskedIds: 2 },
  'tun-ipip': { ...NONE, compared: 29, inputFragments: 3, outputFragments: 3, maskedIds: 3 },
  'tun-ipip-fields': {
    ...NONE,
    compared: 39,
    inputFragments: 3,
    outputFragments: 7,
    needFragmenting: 2,
    maskedIds: 14,
  },
  'sched-rr': { ...NONE, compared: 142, maskedIds: 4, listings: 3 },
  'sched-wrr': { ...NONE, compared: 142, maskedIds: 4, listings: 3 },
  'sched-wlc': { ...NONE, compared: 142, maskedIds: 4, listings: 3 },
  'sched-sh': { ...NONE, compared: 142, maskedIds: 10, listings: 3 },
  'sched-sh-port': { ...NONE, compared: 142, maskedIds: 9, listings: 3 },
  'sched-sh-fallback': { ...NONE, compared: 142, maskedIds: 4, listings: 3 },
};

interface Counts {
  compared: number;
  inputFragments: number;
  outputFragments: number;
  needFragmenting: number;
  maskedIds: number;
  /** Listings of connections and dests that were compared, too: all unless fragments opened connections. */
  listings: number;
}

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
  const counts = { ...NONE };
  const steps = [...scenario.events, ...scenario.listings, ...scenario.input];
  // A stable sort keeps a command in front of a frame of the same time.
  steps.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));

  for (const step of steps) {
    if ('apply' in step) step.apply(director);
    else if ('dests' in step) counts.listings += compareListing(director, step, counts.inputFragments > 0);
    else {
      const forwarded = judge(director, step, counts).filter((outcome) => outcome.verdict === 'forward');
      for (const outcome of forwarded) emitted.get(outcome.outInterface!)!.push(outcome);
    }
  }

  const differences = new Map<string, string[]>();
  for (const [side, all] of scenario.output) {
    // Rule "outputFragments": what the kernel fragmented, or reassembled and sent again in pieces.
    const expected = all.filter((frame) => !isFragment(frame.bytes));
    counts.outputFragments += all.length - expected.length;
    counts.compared += expected.length;
    differences.set(side, compare(emitted.get(side)!, expected, counts));
  }
  return { differences, counts };
}

function judge(director: ReferenceDirector, frame: CapturedFrame & { interface: string }, counts: Counts) {
  const outcomes = director.send(frame.bytes, frame.interface, Number(frame.time) / 1e6);
  // Rule "inputFragments": fragments are passed on untouched, where the kernel reassembles them.
  if (isFragment(frame.bytes)) {
    expect(outcomes.map((outcome) => outcome.reason)).toEqual(['fragment']);
    counts.inputFragments += 1;
  }
  // Rule "needFragmenting": the kernel fragments what leaves too large.
  if (outcomes[0]!.reason === 'needs-fragmenting') counts.needFragmenting += 1;
  return outcomes;
}

/** States, timers within two seconds, and counts, as ipvsadm listed them. Returns how many listings it compared. */
function compareListing(director: ReferenceDirector, theirs: Listing, fragments: boolean): number {
  if (fragments) return 0;
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
  if (!outcome.made && !tunnelWithoutDf) return outcome.frame;
  counts.maskedIds += 1;
  expect(checksumIsRight(outcome.frame.subarray(14, 34)), 'our own header checksum').toBe(true);
  const masked = outcome.frame.slice();
  for (const at of [18, 19, 24, 25]) masked[at] = their.bytes[at]!;
  return masked;
}

function isFragment(bytes: Uint8Array): boolean {
  const { etherType, payload } = parseEthernet(bytes);
  if (etherType !== 0x0800) return false;
  const packet = parseIpv4(payload);
  return (packet.flags & 1) !== 0 || packet.fragmentOffset !== 0;
}
