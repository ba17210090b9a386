import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { address6Text } from '../../src/decode/text.js';
import { changes, differences, fields, firstDifference, summary } from '../../src/decode.js';
import { bytes, fragment6, gre, ip6, tcp6Frame, u16, u32 } from '../scenario/packets.js';
import { properties } from '../support/property.js';
import { FRAMES, four, gueIn4, INNER, INNER6, inner, inner6, segment6, six, syn, syn6 } from './frames.js';

const property = properties(import.meta.url);

const value = (frame: Uint8Array, name: string) => fields(frame).find((field) => field.name === name)?.value;

describe('summary', () => {
  it.each(Object.keys(FRAMES))('%s', (text) => {
    expect(summary(FRAMES[text]!)).toBe(text);
  });

  it('reads IPv6 without a link header', () => {
    expect(summary(inner6, 'raw')).toBe(INNER6);
  });
});

/** Every header but that of GUE's port has fields of its own. */
describe('fields', () => {
  it.each(Object.keys(FRAMES))('cover all headers of %s', (text) => {
    const frame = FRAMES[text]!;
    const covered = new Set(fields(frame).flatMap(({ start, length }) => Array.from({ length }, (_, i) => start + i)));
    const last = /len=(\d+)$/.exec(text)?.[1] ?? '0';
    expect(covered.size).toBe(frame.length - Number(last));
  });

  it('of IPv6', () => {
    const frame = tcp6Frame({ sport: 1, dport: 2, tclass: 0xb9, flow: 0xabcde, hops: 5 });
    expect(value(frame, 'ipv6.tclass')).toBe('0xb9');
    expect(value(frame, 'ipv6.flow')).toBe('0x0abcde');
    expect(value(frame, 'ipv6.hlim')).toBe('5');
    expect(value(frame, 'ipv6.plen')).toBe('20');
    expect(value(bytes(frame, 0, 0), 'eth.padding')).toBe('0x0000');
  });

  it('of extension headers', () => {
    const frame = six(
      0,
      bytes(43, 0, 5, 2, 0, 7, 1, 0, 44, 2, 0, 1, u32(0), ip6('fd00::9'), 6, 0, u16(0), u32(7), segment6),
    );
    expect(value(frame, 'ipv6.hopopts.nxt')).toBe('43');
    expect(value(frame, 'ipv6.opt.router_alert')).toBe('0x0007');
    expect(value(frame, 'ipv6.routing.segleft')).toBe('1');
    expect(value(frame, 'ipv6.fraghdr.ident')).toBe('0x00000007');
    expect(value(frame, 'tcp.dstport')).toBe('80');
  });

  it('end at an extension header that is cut short', () => {
    const frame = six(60, bytes(6, 200, 1, 4, u32(0), segment6));
    expect(value(frame, 'ipv6.dstopts.len')).toBe('200');
    expect(value(frame, 'tcp.dstport')).toBeUndefined();
  });

  it('of the remote checksum option of GUE', () => {
    const frame = gueIn4(inner, 4, [0x80, 0, 0, 0, ...u16(20), ...u16(36)]);
    expect(value(frame, 'gue.hlen')).toBe('12');
    expect(value(frame, 'gue.private')).toBe('0x80000000');
    expect(value(frame, 'gue.remcsum.start')).toBe('20');
    expect(value(frame, 'gue.remcsum.offset')).toBe('36');
    expect(value(frame, 'inner.tcp.dstport')).toBe('80');
  });

  it('of GUE whose header is longer than its fields', () => {
    for (const [options, data] of [
      [[0, 0, 0, 0], undefined],
      [[0, 0, 0, 0, 1, 2, 3, 4], '0x01020304'],
      [[0x80, 0, 0, 0, 0, 20, 0, 36, 1, 2, 3, 4], '0x01020304'],
    ] as const) {
      const frame = gueIn4(inner, 4, [...options]);
      expect(value(frame, 'gue.data')).toBe(data);
      expect(value(frame, 'inner.tcp.dstport')).toBe('80');
    }
    const plain = gueIn4(bytes(1, 2, 3, 4, inner), 4);
    plain[42] = 1;
    expect(value(plain, 'gue.data')).toBe('0x01020304');
    expect(value(plain, 'inner.tcp.dstport')).toBe('80');
  });

  it('take for GUE only what is: a packet as long as the rest, in the version that the header says', () => {
    const isGue = (frame: Uint8Array) => fields(frame).some(({ name }) => name === 'gue.proto');
    expect(isGue(gueIn4(inner, 4))).toBe(true);
    expect(isGue(gueIn4(inner, 41))).toBe(false);
    expect(isGue(gueIn4(bytes(inner, 0), 4))).toBe(false);
    expect(isGue(gueIn4(inner.slice(0, -1), 4))).toBe(false);
    expect(isGue(gueIn4(inner, 4, [0x80, 0, 0, 0]))).toBe(false);
    // The first piece of one that was cut, and one that is quoted: the rest is elsewhere.
    const cut = gueIn4(inner, 4).slice(0, -4);
    cut.set(u16(cut.length - 14), 16);
    expect(isGue(cut)).toBe(false);
    cut[20] = 0x20;
    expect(isGue(cut)).toBe(true);
  });

  it('of SCTP say when the checksum is wrong, if all of it is there', () => {
    const right = FRAMES['10.0.0.2:51000 > 10.0.0.100:3868 SCTP [INIT] ttl=64']!;
    const wrong = right.slice();
    wrong[wrong.length - 1]! ^= 1;
    expect(value(right, 'sctp.checksum')).toMatch(/^0x[0-9a-f]{8}$/);
    expect(value(wrong, 'sctp.checksum')).toBe(`${value(right, 'sctp.checksum')} (wrong)`);
    expect(summary(wrong)).toBe('10.0.0.2:51000 > 10.0.0.100:3868 SCTP [INIT] wrong CRC32c ttl=64');
    const first = wrong.slice();
    first[20] = 0x20;
    expect(value(first, 'sctp.checksum')).toMatch(/^0x[0-9a-f]{8}$/);
    expect(value(right, 'sctp.init_credit')).toBe('16843009');
    expect(value(right, 'sctp.chunk_type')).toBe('INIT');
  });
});

describe('firstDifference', () => {
  const IPV6 = 14;
  it.each([
    ['ipv6.tclass', INNER6, IPV6, 0x6f],
    ['ipv6.flow', INNER6, IPV6 + 2, 1],
    ['ipv6.hlim', INNER6, IPV6 + 7, 9],
    ['ipv6.dst', INNER6, IPV6 + 39, 9],
    ['ipv6.fraghdr.ident', 'fd00::2 > fd00::100 protocol 17 fragment id=0x11223344 at 1232 hlim=64 len=8', 60, 9],
    ['icmpv6.mtu', `fd00::2 > fd00::100 ICMPv6 2/0 (packet too big) mtu=1280 hlim=64 (${INNER6})`, 60, 4],
    ['quoted.tcp.srcport', `fd00::2 > fd00::100 ICMPv6 2/0 (packet too big) mtu=1280 hlim=64 (${INNER6})`, 102, 4],
    ['gre.checksum', `fd00::2 > fd00::100 GRE hlim=64 (${INNER6})`, 58, 1],
    ['inner.ipv6.hlim', `10.1.0.1 > 10.1.0.21 6in4 ttl=64 (${INNER6})`, 41, 1],
    ['gue.proto', `10.1.0.1:40000 > 10.1.0.21:6080 GUE ttl=64 (${INNER})`, 43, 41],
    ['inner.ip.ttl', `10.1.0.1:40000 > 10.1.0.21:6080 GUE ttl=64 (${INNER})`, 54, 9],
    ['sctp.verification_tag', '10.0.0.2:51000 > 10.0.0.100:3868 SCTP [INIT] ttl=64', 41, 9],
    ['sctp.init_initiate_tag', '10.0.0.2:51000 > 10.0.0.100:3868 SCTP [INIT] ttl=64', 50, 9],
    ['esp.sequence', 'fd00::2 > fd00::100 ESP spi=0x00000001 hlim=64 len=4', 61, 9],
    ['ah.icv', '10.1.0.1 > 10.1.0.21 AH ESP spi=0x00000009 ttl=64 len=4', 47, 9],
  ])('names %s', (name, text, at, to) => {
    const frame = FRAMES[text]!;
    const other = frame.slice();
    other[at] = to;
    expect(firstDifference(frame, other)?.name).toBe(name);
  });

  it('names the field of either frame where the other has none', () => {
    // What is a transport header here is the data of a fragment there.
    const frame = six(44, fragment6(6, 0, false, 7, segment6));
    const other = six(44, fragment6(6, 8, false, 7, segment6));
    other[70]! ^= 1;
    for (const [a, b] of [
      [frame, other],
      [other, frame],
    ] as const) {
      expect(differences(a, b).map(({ name }) => name)).toEqual(['ipv6.fraghdr.offset', 'tcp.ack']);
    }
  });
});

describe('changes', () => {
  it('takes an extension header for removed', () => {
    const atomic = six(44, fragment6(6, 0, false, 7, segment6), { hops: 63 });
    const list = changes(atomic, syn6);
    expect(list.map(({ name }) => name)).toEqual([
      'ipv6.plen',
      'ipv6.nxt',
      'ipv6.fraghdr.nxt',
      'ipv6.fraghdr.reserved_octet',
      'ipv6.fraghdr.offset',
      'ipv6.fraghdr.reserved_bits',
      'ipv6.fraghdr.more',
      'ipv6.fraghdr.ident',
    ]);
    expect(list.slice(2).every(({ after }) => after === undefined)).toBe(true);
  });

  it('takes a tunnel for added, whatever it consists of', () => {
    for (const frame of [gueIn4(inner, 4), four(47, gre(0x0800, inner)), six(4, inner)]) {
      const list = changes(syn, frame).filter(({ name }) => !name.startsWith('eth.'));
      expect(list.length).toBeGreaterThanOrEqual(8);
      expect(list.every(({ before }) => before === undefined)).toBe(true);
    }
  });

  it('takes another protocol of the same packet for what it is', () => {
    const list = changes(syn6, FRAMES['fd00::2 > fd00::100 protocol 59 hlim=64 len=0']!);
    expect(list.find(({ name }) => name === 'ipv6.nxt')).toMatchObject({ before: '6', after: '59' });
    expect(list.find(({ name }) => name === 'tcp.dstport')).toMatchObject({ before: '80', after: undefined });
  });
});

describe('IPv6 addresses', () => {
  it.each([
    ['::', 'RFC 5952 §4.2'],
    ['::1', ''],
    ['2001:db8::1', ''],
    ['2001:db8:0:1:1:1:1:1', 'one group alone stays (§4.2.2)'],
    ['2001:0:0:1::1', 'the longest run (§4.2.3)'],
    ['2001:db8::1:0:0:1', 'the first of two (§4.2.3)'],
    ['fe80::', ''],
    ['1::', ''],
  ])('%s', (text) => {
    expect(address6Text(Uint8Array.from(ip6(text)), 0)).toBe(text);
  });

  it('::ffff:10.0.0.1', () => {
    expect(address6Text(Uint8Array.from([...ip6('::ffff:0:0').slice(0, 12), 10, 0, 0, 1]), 0)).toBe('::ffff:10.0.0.1');
  });
});

describe('any damage', () => {
  const base = fc.constantFrom(...Object.values(FRAMES));
  const damaged = fc
    .tuple(base, fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 8 }), fc.option(fc.nat(220)))
    .map(([frame, damage, length]) => {
      const copy = frame.slice(0, length ?? undefined);
      for (const [at, to] of damage) if (at < copy.length) copy[at] = to;
      return copy;
    });

  property(
    'never throws, and no field lies outside the frame',
    fc.property(damaged, damaged, (a, b) => {
      expect(summary(a)).toMatch(/^[^\n]+$/);
      for (const { start, length } of fields(a)) {
        expect(length).toBeGreaterThan(0);
        expect(start + length).toBeLessThanOrEqual(a.length);
      }
      expect(differences(a, b).length === 0).toBe(Buffer.compare(a, b) === 0);
      expect(changes(a, a)).toEqual([]);
      changes(a, b);
    }),
  );

  property(
    'is a difference at its place',
    fc.property(base, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, where, mask) => {
      const at = where % frame.length;
      const other = frame.slice();
      other[at]! ^= mask;
      const found = differences(frame, other);
      expect(found).not.toEqual([]);
      for (const { start, expected, got } of found) {
        expect(start).toBeLessThanOrEqual(at);
        expect(expected).not.toBe(got);
      }
    }),
  );
});
