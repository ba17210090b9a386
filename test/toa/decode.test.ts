/** Clients' addresses in TCP options, IP options, headers of their own and PROXY headers; and what is none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeClient } from '../../src/toa/index.js';
import { ethernet, hex, ip, ipv4, join, packet, udp } from '../support/packets.js';

const V4 = { source: ip('10.2.0.1'), destination: ip('10.1.0.11') };
const V6 = { source: 'fd00:2::1', destination: 'fd00:1::11' };
type Ends = Parameters<typeof packet>[0];

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A segment with these options, and data behind them. */
function segment(options: string, data: Uint8Array = new Uint8Array(0), ends: Ends = V4): Uint8Array {
  const bytes = hex(options);
  const header = hex('9c40 1f90 000003e8 000007d0 0010 faf0 0000 0000');
  header[12] = (5 + bytes.length / 4) << 4;
  return packet(ends, 6, join(header, bytes, data));
}

const datagram = (data: Uint8Array): Uint8Array => udp({ ...V4, sport: 5000, dport: 53, payload: data });

const PORT = '9c41';
const CLIENT4 = '0a000002';
const CLIENT6 = 'fd00 0000 0000 0000 0000 0000 0000 0002';
const SIGNATURE = '0d0a0d0a000d0a515549540a';
/** A line of version 1 of so many bytes: nobody reads the destination. */
const lineOf = (length: number): string => `PROXY TCP4 10.0.0.2 ${'1'.repeat(length - 31)} 40001 80\r\n`;

describe('finds', () => {
  const client4 = { family: 4, address: '10.0.0.2', port: 40001 };
  const client6 = { family: 6, address: 'fd00::2', port: 40001 };
  it.each([
    ['TOA', segment(`fe08 ${PORT} ${CLIENT4}`), { carrier: 'toa', ...client4, start: 40, length: 8 }],
    [
      'TOA behind other options',
      segment(`0101 080a 00000001 00000002 fe08 ${PORT} ${CLIENT4}`),
      { carrier: 'toa', ...client4, start: 52, length: 8 },
    ],
    [
      'TOA of IPv6 as alibaba/LVS has it',
      segment(`fd14 ${PORT} ${CLIENT6}`, undefined, V6),
      { carrier: 'toa', ...client6, start: 60, length: 20 },
    ],
    [
      'TOA of IPv6 as DPVS has it',
      segment(`fe14 ${PORT} ${CLIENT6}`, undefined, V6),
      { carrier: 'toa', ...client6, start: 60, length: 20 },
    ],
    [
      'TOA of an IPv6 client at a server of IPv4 (NAT64)',
      segment(`fe14 ${PORT} ${CLIENT6}`),
      { carrier: 'toa', ...client6, start: 40, length: 20 },
    ],
    [
      'TOA before PROXY',
      segment(`fe08 ${PORT} ${CLIENT4}`, utf8('PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n')),
      { carrier: 'toa', ...client4, start: 40, length: 8 },
    ],
    [
      'UOA in an IP option',
      ipv4({ ...V4, protocol: 17, options: hex(`1f08 ${PORT} ${CLIENT4}`) }, hex('1388 0035 0008 0000')),
      { carrier: 'uoa-option', ...client4, start: 20, length: 8 },
    ],
    [
      'UOA before PROXY',
      ipv4(
        { ...V4, protocol: 17, options: hex(`1f08 ${PORT} ${CLIENT4}`) },
        hex(`1388 0035 0024 0000 ${SIGNATURE} 21 12 000c 01010101 02020202 0001 0002`),
      ),
      { carrier: 'uoa-option', ...client4, start: 20, length: 8 },
    ],
    [
      'UOA in a header of its own',
      packet(V4, 248, hex(`10 11 000c 1f08 ${PORT} ${CLIENT4} 1388 0035 0008 0000`)),
      { carrier: 'uoa-protocol', ...client4, start: 24, length: 8 },
    ],
    [
      'UOA in a header of its own, IPv6',
      packet(V6, 248, hex(`20 11 0018 1f14 ${PORT} ${CLIENT6} 1388 0035 0008 0000`)),
      { carrier: 'uoa-protocol', ...client6, start: 44, length: 20 },
    ],
    [
      'PROXY v1',
      segment('', utf8('PROXY TCP4 10.0.0.2 10.0.0.100 40001 80\r\nGET /')),
      { carrier: 'proxy-v1', ...client4, start: 40, length: 41 },
    ],
    [
      'PROXY v1 in the longest line',
      segment('', utf8(lineOf(107))),
      { carrier: 'proxy-v1', ...client4, start: 40, length: 107 },
    ],
    [
      'PROXY v1 of IPv6, whose text is any',
      segment('', utf8('PROXY TCP6 FD00:0::2 fd00::100 40001 80\r\n')),
      { carrier: 'proxy-v1', ...client6, start: 40, length: 41 },
    ],
    [
      'PROXY v2',
      segment('', hex(`${SIGNATURE} 21 11 000c ${CLIENT4} 0a000064 ${PORT} 0050`)),
      { carrier: 'proxy-v2', ...client4, start: 40, length: 28 },
    ],
    [
      'PROXY v2 with TLVs, of a datagram',
      datagram(hex(`${SIGNATURE} 21 12 0010 ${CLIENT4} 0a000064 ${PORT} 0050 04000101`)),
      { carrier: 'proxy-v2', ...client4, start: 28, length: 32 },
    ],
    [
      'PROXY v2 of IPv6',
      segment('', hex(`${SIGNATURE} 21 21 0024 ${CLIENT6} ${CLIENT6} ${PORT} 0050`)),
      { carrier: 'proxy-v2', ...client6, start: 40, length: 52 },
    ],
    [
      'TOA behind extension headers',
      segment(`fe14 ${PORT} ${CLIENT6}`, undefined, {
        ...V6,
        extensions: [
          [0, hex('00 0502 0000 0100')],
          [44, hex('00 0001 00000007')],
        ],
      }),
      { carrier: 'toa', ...client6, start: 76, length: 20 },
    ],
  ])('%s', (_, bytes, expected) => {
    expect(decodeClient(bytes, 'raw')).toEqual(expected);
  });

  it('it behind Ethernet headers, with tags or without', () => {
    const bytes = segment(`fe08 ${PORT} ${CLIENT4}`);
    const [to, from] = ['020000000001', '020000000002'];
    expect(decodeClient(ethernet(to, from, bytes))).toMatchObject({ address: '10.0.0.2', start: 54 });
    expect(decodeClient(ethernet(to, from, bytes, 0x0800, 5))).toMatchObject({ address: '10.0.0.2', start: 58 });
    expect(decodeClient(ethernet(to, from, bytes, 0x86dd))).toBeUndefined();
  });
});

describe('finds nothing in', () => {
  const laterFragment = segment(`fe08 ${PORT} ${CLIENT4}`);
  laterFragment[7] = 1;
  const shortHeader = segment('');
  shortHeader[32] = 0x40;
  it.each([
    ['no bytes', new Uint8Array(0)],
    ['a segment without options', segment('')],
    ['kind 254 of another length (an experiment of RFC 6994)', segment('fe06 f989 0102 0101')],
    ['kind 253 as long as for IPv4', segment(`fd08 ${PORT} ${CLIENT4}`)],
    ['an option that is longer than the header', segment(`0101 0101 fe08 ${PORT}`)],
    ['an option of one byte', segment(`0301 0101 fe08 ${PORT} ${CLIENT4}`)],
    ['an option of no length', segment(`0300 0101 fe08 ${PORT} ${CLIENT4}`)],
    ['options behind the end of options', segment(`0004 0000 fe08 ${PORT} ${CLIENT4}`)],
    ['a later fragment', laterFragment],
    ['a header shorter than 20 bytes', shortHeader],
    ['UOA that is longer than its header', packet(V4, 248, hex(`10 11 0008 1f08 ${PORT} ${CLIENT4}`))],
    ['UOA in a header of 3 bytes', packet(V4, 248, hex(`10 11 0003 1f08 ${PORT} ${CLIENT4}`))],
    ['UOA in a header that is longer than the packet', packet(V4, 248, hex(`10 11 010c 1f08 ${PORT} ${CLIENT4}`))],
    ['PROXY UNKNOWN', segment('', utf8('PROXY UNKNOWN\r\n'))],
    ['PROXY without its end', segment('', utf8('PROXY TCP4 10.0.0.2 10.0.0.100 40001 80'))],
    ['PROXY of the wrong family', segment('', utf8('PROXY TCP6 10.0.0.2 10.0.0.100 40001 80\r\n'))],
    ['PROXY with a port above 65535', segment('', utf8('PROXY TCP4 10.0.0.2 10.0.0.100 65536 80\r\n'))],
    ['PROXY in a line of more than 107 bytes', segment('', utf8(lineOf(108)))],
    ['PROXY LOCAL', segment('', hex(`${SIGNATURE} 20 11 000c ${CLIENT4} 0a000064 ${PORT} 0050`))],
    ['PROXY of a local socket', segment('', hex(`${SIGNATURE} 21 31 000c ${CLIENT4} 0a000064 ${PORT} 0050`))],
    ['PROXY v2 that is cut off', segment('', hex(`${SIGNATURE} 21 11 000c ${CLIENT4} 0a000064 ${PORT}`))],
    [
      'PROXY v2 too short for its addresses',
      segment('', hex(`${SIGNATURE} 21 11 000a ${CLIENT4} 0a000064 ${PORT} 0050`)),
    ],
  ])('%s', (_, bytes) => {
    expect(decodeClient(bytes, 'raw')).toBeUndefined();
  });
});

it('takes any bytes, and what it finds lies within them', () => {
  const good = [
    segment(`fe08 ${PORT} ${CLIENT4}`, utf8('PROXY TCP4 10.0.0.2 10.0.0.100 40001 80\r\n')),
    segment(`fe14 ${PORT} ${CLIENT6}`, undefined, V6),
    packet(V4, 248, hex(`10 11 000c 1f08 ${PORT} ${CLIENT4} 1388 0035 0008 0000`)),
    datagram(hex(`${SIGNATURE} 21 12 0010 ${CLIENT4} 0a000064 ${PORT} 0050 04000101`)),
  ];
  const damaged = fc
    .record({ base: fc.constantFrom(...good), at: fc.nat(), byte: fc.nat(255), cut: fc.nat(200) })
    .map(({ base, at, byte, cut }) => {
      const bytes = base.slice(0, Math.max(1, base.length - cut));
      bytes[at % bytes.length] = byte;
      return bytes;
    });
  const any = fc.oneof(damaged, fc.uint8Array({ maxLength: 120 }));
  fc.assert(
    fc.property(any, fc.constantFrom('ether', 'raw'), (bytes, link) => {
      const found = decodeClient(bytes, link);
      if (found === undefined) return;
      expect(found.start + (found.carrier === 'proxy-v2' ? 28 : found.length)).toBeLessThanOrEqual(bytes.length);
      expect(found.port).toBeLessThanOrEqual(0xffff);
    }),
    { numRuns: 20_000 },
  );
});

it('looks for nothing but what the service carries, where that is said: others can be the client’s own', () => {
  const both = segment(`fe08 ${PORT} ${CLIENT4}`, utf8('PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n'));
  expect(decodeClient(both, 'raw', 'toa')).toMatchObject({ carrier: 'toa', address: '10.0.0.2' });
  expect(decodeClient(both, 'raw', 'proxy-v1')).toMatchObject({ carrier: 'proxy-v1', address: '1.1.1.1', port: 1 });
  for (const other of ['proxy-v2', 'uoa-option', 'uoa-protocol'] as const) {
    expect(decodeClient(both, 'raw', other)).toBeUndefined();
  }
  expect(() => decodeClient(both, 'raw', 'proxy' as never)).toThrow(
    new RangeError('expected a carrier of toa, uoa-option, uoa-protocol, proxy-v1, proxy-v2, got proxy'),
  );
});

it('refuses another kind of link', () => {
  expect(() => decodeClient(new Uint8Array(60), 'wifi' as never)).toThrow(
    new RangeError('expected a link of ether or raw, got wifi'),
  );
});
