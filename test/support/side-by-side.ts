/**
 * Core and reference side by side, given the same frames.
 *
 * @module
 */
import { expect } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { DestConfig, FrameNotes, NetworkConfig, ServiceKey, SysctlConfig } from '../../src/types.js';
import { type Binary, createDirector } from './core.js';
import { CLIENT6, NETWORK, SERVERS, SERVERS6, UDP_KEY, VIP6 } from './lab.js';
import { ipv6 } from './packets.js';
export interface Around {
  network?: NetworkConfig;
  sysctl?: SysctlConfig;
  services?: readonly ServiceKey[];
  dests?: readonly DestConfig[];
}

export const NAT: DestConfig = { address: SERVERS[0], method: 'nat' };
export const NAT6: DestConfig = { address: SERVERS6[0], method: 'nat' };
export const MARK = { fwmark: 7 } as const;
export const piece6 = (
  protocol: number,
  offset: number,
  more: boolean,
  body: Uint8Array,
  hopLimit = 64,
  to: string = VIP6,
) =>
  ipv6({ source: CLIENT6, destination: to, protocol, hopLimit, extensions: [[44, fragmentWords(offset, more)]] }, body);
export const fragmentWords = (offset: number, more: boolean) =>
  Uint8Array.of(0, offset >> 8, (offset & 0xf8) | (more ? 1 : 0), 1, 2, 3, 4);
/** For the core of that binary. */
export function sideBySide(binary: Binary) {
  /** Core and reference. */
  function both({ network = NETWORK, sysctl = {}, services = [UDP_KEY], dests = [NAT] }: Around) {
    const plan = { connections: 16, connections6: 16, arenaBytes: 1 << 17 };
    const directors = [createDirector(binary, { network, sysctl, plan }), new ReferenceDirector({ network, sysctl })];
    for (const director of directors) {
      for (const key of services) {
        director.addService({ scheduler: 'rr', ...key });
        for (const dest of dests) director.addDest(key, dest);
      }
    }
    return directors;
  }

  /** What becomes of the last of the frames in both. */
  function expectLast(around: Around, frames: readonly Uint8Array[], expected: string[], notes: FrameNotes = {}) {
    for (const director of both(around)) {
      const all = frames.map((frame) => director.send(frame, 'cli', 0, notes));
      expect((all.at(-1) as ReturnType<Director['send']>).map(({ verdict, reason }) => `${verdict} ${reason}`)).toEqual(
        expected,
      );
    }
  }

  return { both, expectLast };
}
