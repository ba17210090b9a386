/** Errors about queries of ICMP by SNAT and about their replies (RFC 5508 §3). */
import { describe, expect, it } from 'vitest';
import type { IpPacket } from '../../src/reference/index.js';
import { judged } from './builders.js';
import { addresses, endsOf, hopsOf, NOW, packetIn } from './fullnat.js';
import { error, isRight, message, queriesOf } from './queries.js';
import { arrive, leave, MARK, snat } from './snat.js';

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { inside, outside, far, local, second, query, reply, header, ask } = queriesOf(family);

  /** What an error quotes. */
  const quoteOf = ({ payload }: IpPacket) => [...payload.slice(8)];
  /** As it is quoted: nobody makes the header's checksum of IPv4 anew for what is not sent. */
  const quoted = (about: IpPacket, cutAt?: number) => quoteOf(error(far, far, about, cutAt));

  it.each([undefined, header + 8, header + 11])('brings errors about queries to who asked: %o bytes', (cutAt) => {
    const made = snat();
    leave(made, ask(77));
    for (const from of [outside, far]) {
      const [outcome] = arrive(made, error(from, local, message(local, outside, query, 1024), cutAt));
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-out', outInterface: 'srv' });
      const told = packetIn(outcome!);
      expect([endsOf(told), hopsOf(told), isRight(told)]).toEqual([addresses(from, inside), 8, true]);
      // Its checksum is that of what was asked.
      expect(quoteOf(told)).toEqual(quoted(ask(77), cutAt));
    }
    expect(judged(arrive(made, error(far, local, message(local, outside, query, 1024), cutAt, 1)))).toEqual([
      'drop icmp-checksum',
    ]);
    const stats = { inPackets: 1n, outPackets: 2n };
    expect(made.services().find((each) => 'fwmark' in each && each.family === family)).toMatchObject({ stats });
  });

  it.each([
    [0, undefined],
    [MARK, header + 8],
  ])('sends errors about replies out as from the local end: mark %i, %o bytes', (mark, cutAt) => {
    const made = snat();
    leave(made, ask(77));
    for (const from of [inside, second]) {
      const [outcome] = leave(made, error(from, outside, message(outside, inside, reply, 77), cutAt), mark);
      expect(outcome).toMatchObject({ verdict: 'forward', reason: 'icmp-in', outInterface: 'cli' });
      const told = packetIn(outcome!);
      expect([endsOf(told), hopsOf(told), isRight(told)]).toEqual([addresses(local, outside), 7, true]);
      expect(quoteOf(told)).toEqual(quoted(message(outside, local, reply, 1024), cutAt));
    }
  });

  it('has nothing to do with errors about anything else', () => {
    const made = snat({}, { sysctl: { schedule_icmp: 1 } });
    leave(made, ask(77));
    const about = [
      message(local, outside, reply, 1024),
      message(local, outside, query, 1024, { code: 1 }),
      message(local, outside, query, 1025),
      message(local, far, query, 1024),
    ];
    for (const each of about) expect(judged(arrive(made, error(far, local, each)))).toEqual(['local local-delivery']);
    const short = error(far, local, message(local, outside, query, 1024), header + 7);
    expect(judged(arrive(made, short))).toEqual(['local local-delivery']);
    for (const each of [message(outside, inside, query, 77), message(outside, inside, reply, 78)]) {
      expect(judged(leave(made, error(inside, outside, each)))).toEqual(['forward routed']);
    }
    expect(made.connections(NOW)).toHaveLength(1);
  });
});
