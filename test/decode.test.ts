import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../src/capture/reader.js';
import { changes, differences, fields, firstDifference, summary } from '../src/decode.js';
import {
  bytes,
  C0_MAC,
  CLI_MAC,
  ether,
  hex,
  icmp,
  ip,
  ipv4,
  RS1_MAC,
  SRV_MAC,
  tcp,
  tcpFrame,
  u16,
  udp,
} from './scenario/packets.js';

const FIXTURES = new URL('./fixtures/kernel/', import.meta.url);

async function captured(path: string, number: number): Promise<Uint8Array> {
  for await (const packet of readCapture(new URL(path, FIXTURES).pathname)) {
    if (packet.number === number) return packet.data.slice();
  }
  throw new Error(`${path} has no frame ${number}`);
}

const value = (frame: Uint8Array, name: string, link: 'ether' | 'raw' = 'ether') =>
  fields(frame, link).find((field) => field.name === name)?.value;

const syn = tcpFrame({ sport: 40001, dport: 80 });
const datagram = ether(
  C0_MAC,
  CLI_MAC,
  ipv4({
    src: '10.0.0.2',
    dst: '10.0.0.100',
    protocol: 17,
    payload: udp('10.0.0.2', '10.0.0.100', 5000, 53, [1, 2, 3]),
  }),
);
const inner = ipv4({
  src: '10.0.0.2',
  dst: '10.0.0.100',
  protocol: 6,
  ttl: 63,
  payload: tcp('10.0.0.2', '10.0.0.100', { sport: 40001, dport: 80 }),
});
const tunnelled = ether(
  SRV_MAC,
  RS1_MAC,
  ipv4({ src: '10.1.0.1', dst: '10.1.0.21', protocol: 4, ttl: 63, id: 0, payload: inner }),
);
const exceeded = ether(
  CLI_MAC,
  C0_MAC,
  ipv4({
    src: '10.0.0.100',
    dst: '10.0.0.2',
    protocol: 1,
    tos: 0xc0,
    fragment: 0,
    payload: icmp(11, 0, [0, 0, 0, 0], syn.slice(14)),
  }),
);

describe('summary', () => {
  it('names the ends, flags, sequence number, TTL and payload of a TCP segment', () => {
    expect(summary(tcpFrame({ sport: 40001, dport: 80, seq: 77, flags: 0x12, ttl: 9, data: [1, 2, 3] }))).toBe(
      '10.0.0.2:40001 > 10.0.0.100:80 TCP [SA] seq=77 ttl=9 len=3',
    );
  });

  it('tells UDP, ICMP with its quoted packet, and tunnels', () => {
    expect(summary(datagram)).toBe('10.0.0.2:5000 > 10.0.0.100:53 UDP ttl=64 len=3');
    expect(summary(exceeded)).toBe(
      '10.0.0.100 > 10.0.0.2 ICMP 11/0 (time exceeded) ttl=64 (10.0.0.2:40001 > 10.0.0.100:80 TCP [S] seq=1 ttl=64 len=0)',
    );
    expect(summary(tunnelled)).toBe(
      '10.1.0.1 > 10.1.0.21 IPIP ttl=63 (10.0.0.2:40001 > 10.0.0.100:80 TCP [S] seq=1 ttl=63 len=0)',
    );
  });

  it('shows the MTU of fragmentation needed, and echoes', () => {
    const needed = ipv4({
      src: '10.0.0.1',
      dst: '10.0.0.2',
      protocol: 1,
      payload: icmp(3, 4, u16(0).concat(u16(1480)), inner),
    });
    expect(summary(needed, 'raw')).toMatch(
      /^10\.0\.0\.1 > 10\.0\.0\.2 ICMP 3\/4 \(fragmentation needed\) mtu=1480 ttl=64 \(/,
    );
    const echo = ipv4({ src: '10.0.0.1', dst: '10.0.0.2', protocol: 1, payload: icmp(8, 0, [0, 1, 0, 2], [1, 2]) });
    expect(summary(echo, 'raw')).toBe('10.0.0.1 > 10.0.0.2 ICMP 8/0 (echo request) ttl=64 len=2');
  });

  it('does not read ports in a later fragment', () => {
    const packet = ipv4({
      src: '10.0.0.1',
      dst: '10.0.0.2',
      protocol: 17,
      id: 0x1fa2,
      fragment: 0x20b9,
      payload: bytes(1, 2, 3, 4, 5, 6, 7, 8),
    });
    expect(summary(packet, 'raw')).toBe('10.0.0.1 > 10.0.0.2 protocol 17 fragment id=0x1fa2 at 1480 ttl=64 len=8');
  });

  it('tells what is not IPv4', () => {
    const arp = bytes(
      u16(1),
      u16(0x800),
      6,
      4,
      u16(1),
      hex(C0_MAC),
      ip('10.0.0.2'),
      [0, 0, 0, 0, 0, 0],
      ip('10.0.0.100'),
    );
    expect(summary(ether(C0_MAC, 'ff:ff:ff:ff:ff:ff', arp, 0x0806))).toBe('ARP who has 10.0.0.100? tell 10.0.0.2');
    arp[7] = 2;
    expect(summary(ether(C0_MAC, CLI_MAC, arp, 0x0806))).toBe('ARP 10.0.0.2 is at 02:00:00:00:00:02');
    expect(summary(ether(C0_MAC, CLI_MAC, bytes(0x60, 0, 0, 0), 0x86dd))).toBe('IPv6 cut short, 4 bytes');
    expect(summary(ether(C0_MAC, CLI_MAC, bytes(0x45, 0), 0x86dd))).toBe(`${C0_MAC} > ${CLI_MAC} not IPv6, 16 bytes`);
    expect(summary(ether(C0_MAC, CLI_MAC, bytes(1), 0x88cc))).toBe(`${C0_MAC} > ${CLI_MAC} EtherType 0x88cc, 15 bytes`);
    expect(summary(bytes(1, 2, 3))).toBe('not a packet, 3 bytes');
    expect(summary(bytes(), 'raw')).toBe('not a packet, 0 bytes');
    expect(summary(bytes(0x60, 1), 'raw')).toBe('IPv6 cut short, 2 bytes');
    expect(summary(syn.slice(0, 42))).toBe('10.0.0.2:40001 > 10.0.0.100:80 TCP seq=1 ttl=64 len=0');
    expect(summary(syn.slice(0, 20))).toBe('IPv4 cut short, 6 bytes');
  });

  it('reads real captures as tshark does', async () => {
    expect(summary(await captured('nat-ttl/cli-out.pcap', 5))).toBe(
      '10.0.0.100 > 10.0.0.53 ICMP 11/0 (time exceeded) ttl=64 (10.0.0.53:45004 > 10.0.0.100:80 TCP [S] seq=1000 ttl=1 len=0)',
    );
    expect(summary(await captured('tun-ipip-fields/srv-out.pcap', 36))).toBe(
      '10.1.0.1 > 10.1.0.21 IPIP ttl=63 (10.0.0.53:45000 > 10.0.0.100:80 TCP [PA] seq=1001 ttl=63 len=3)',
    );
  });
});

describe('fields', () => {
  it('covers every byte of the headers once or more, in order', () => {
    for (const frame of [syn, exceeded, tunnelled]) {
      const covered = new Set(
        fields(frame).flatMap(({ start, length }) => Array.from({ length }, (_, i) => start + i)),
      );
      expect(covered.size).toBe(frame.length);
    }
  });

  it('walks VLAN tags', () => {
    const tagged = bytes(syn.slice(0, 12), u16(0x8100), u16(0xa005), syn.slice(12));
    expect(value(tagged, 'vlan.id')).toBe('5');
    expect(value(tagged, 'vlan.priority')).toBe('5');
    expect(value(tagged, 'ip.dst')).toBe('10.0.0.100');
    expect(summary(tagged)).toBe(`VLAN 5 ${summary(syn)}`);
  });

  it('walks IP and TCP options', () => {
    const frame = tcpFrame({
      sport: 1,
      dport: 2,
      ipOptions: [1, 7, 11, 8, ...ip('10.0.0.100'), ...ip('0.0.0.0')],
      options: [2, 4, 5, 180, 1, 3, 3, 7],
    });
    expect(value(frame, 'ip.opt.record_route')).toBe('pointer 8 [10.0.0.100 0.0.0.0]');
    expect(value(frame, 'ip.hdr_len')).toBe('32');
    expect(value(frame, 'tcp.options.mss')).toBe('0x05b4');
    expect(value(frame, 'tcp.options.wscale')).toBe('0x07');
    expect(value(frame, 'tcp.dstport')).toBe('2');
  });

  it('ends at a malformed option', () => {
    const frame = tcpFrame({ sport: 1, dport: 2, ipOptions: [0x9e, 9, 0, 0] });
    expect(fields(frame).some(({ name }) => name.startsWith('ip.opt'))).toBe(false);
    expect(value(frame, 'tcp.dstport')).toBe('2');
  });

  it('names link padding', () => {
    expect(fields(bytes(datagram, 0, 0)).find(({ name }) => name === 'eth.padding')).toEqual({
      name: 'eth.padding',
      start: datagram.length,
      length: 2,
      value: '0x0000',
    });
  });

  it('marks tunnelled and quoted packets', () => {
    expect(value(tunnelled, 'ip.dst')).toBe('10.1.0.21');
    expect(value(tunnelled, 'inner.ip.dst')).toBe('10.0.0.100');
    expect(value(tunnelled, 'inner.tcp.srcport')).toBe('40001');
    expect(value(exceeded, 'quoted.tcp.srcport')).toBe('40001');
    expect(value(exceeded, 'icmp.type')).toBe('11');
  });
});

describe('firstDifference', () => {
  const changed = (frame: Uint8Array, at: number, to: number) => {
    const copy = frame.slice();
    copy[at] = to;
    return copy;
  };

  it('is undefined for equal frames', () => {
    expect(firstDifference(syn, syn.slice())).toBeUndefined();
  });

  it.each([
    [0, 'eth.dst', '02:00:00:00:00:01', 'ff:00:00:00:00:01'],
    [15, 'ip.dsfield', '0x00', '0xff'],
    [22, 'ip.ttl', '64', '255'],
    [24, 'ip.checksum', undefined, undefined],
    [33, 'ip.dst', '10.0.0.100', '10.0.0.255'],
    [34, 'tcp.srcport', '40001', '65345'],
    [47, 'tcp.flags', '[S]', '[FSRPAUEC]'],
    [50, 'tcp.checksum', undefined, undefined],
  ])('names the field of byte %i', (at, name, expected, got) => {
    const difference = firstDifference(syn, changed(syn, at, 0xff))!;
    expect(difference.name).toBe(name);
    if (expected !== undefined) expect(difference).toMatchObject({ expected, got });
  });

  it('tells flags from the fragment offset in the byte they share', () => {
    expect(firstDifference(syn, changed(syn, 20, 0x00))).toMatchObject({
      name: 'ip.flags',
      expected: 'DF',
      got: 'none',
    });
    expect(firstDifference(syn, changed(syn, 20, 0x41))).toMatchObject({
      name: 'ip.frag_offset',
      expected: '0',
      got: '2048',
    });
    expect(firstDifference(syn, changed(syn, 14, 0x46))).toMatchObject({
      name: 'ip.hdr_len',
      expected: '20',
      got: '24',
    });
  });

  it('prefers what is not a checksum', () => {
    const other = tcpFrame({ sport: 40001, dport: 80, ttl: 63, dst: '10.0.0.99' });
    expect(differences(syn, other).map(({ name }) => name)).toEqual([
      'ip.ttl',
      'ip.checksum',
      'ip.dst',
      'tcp.checksum',
    ]);
    expect(firstDifference(syn, tcpFrame({ sport: 40001, dport: 80, dst: '10.0.0.99' }))?.name).toBe('ip.dst');
  });

  it('gives the offset of a byte in no known field', () => {
    const at = datagram.length - 1;
    expect(firstDifference(datagram, changed(datagram, at, 9))).toEqual({
      name: 'byte 0x2c',
      start: at,
      expected: '0x03',
      got: '0x09',
    });
  });

  it('tells lengths', () => {
    expect(firstDifference(datagram, datagram.slice(0, -1))).toMatchObject({
      name: 'frame.len',
      expected: '45',
      got: '44',
    });
    expect(firstDifference(datagram, bytes(datagram, 0))).toMatchObject({
      name: 'frame.len',
      expected: '45',
      got: '46',
    });
  });

  it('finds a difference exactly when bytes differ', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(syn, datagram, tunnelled, exceeded),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (frame, where, mask) => {
          const at = where % frame.length;
          const difference = firstDifference(frame, changed(frame, at, frame[at]! ^ mask))!;
          const field = fields(frame).find(({ name, start }) => name === difference.name && start === difference.start);
          expect(difference.start).toBeLessThanOrEqual(at);
          expect(at).toBeLessThan(difference.start + (field?.length ?? 1));
          expect(difference.expected).not.toBe(difference.got);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('changes', () => {
  it('lists what NAT rewrote', () => {
    const after = tcpFrame({ sport: 40001, dport: 8080, dst: '10.1.0.21', ttl: 63, from: SRV_MAC, to: RS1_MAC });
    const list = changes(syn, after);
    expect(list.map(({ name }) => name)).toEqual([
      'eth.dst',
      'eth.src',
      'ip.ttl',
      'ip.checksum',
      'ip.dst',
      'tcp.dstport',
      'tcp.checksum',
    ]);
    expect(list.find(({ name }) => name === 'tcp.dstport')).toEqual({
      name: 'tcp.dstport',
      start: 36,
      before: '80',
      after: '8080',
    });
    expect(changes(syn, syn)).toEqual([]);
  });

  it('takes an outer header for added, not for other bytes everywhere', () => {
    const list = changes(syn, tunnelled);
    expect(list.filter(({ before }) => before === undefined).map(({ name }) => name)).toContain('ip.src');
    expect(list.filter(({ before }) => before !== undefined).map(({ name }) => name)).toEqual([
      'eth.dst',
      'eth.src',
      'inner.ip.ttl',
      'inner.ip.checksum',
    ]);
    const back = changes(tunnelled, inner, 'ether', 'raw');
    expect(back.every(({ after }) => after === undefined)).toBe(true);
    expect(back.map(({ name }) => name)).toContain('eth.dst');
  });

  it('takes a VLAN tag for added, and padding for removed', () => {
    const tagged = bytes(syn.slice(0, 12), u16(0x8100), u16(5), syn.slice(12));
    expect(changes(syn, tagged).map(({ name, after }) => [name, after])).toEqual([
      ['eth.type', '0x8100'],
      ['vlan.priority', '0'],
      ['vlan.dei', '0'],
      ['vlan.id', '5'],
      ['vlan.etype', '0x0800'],
    ]);
    expect(changes(bytes(syn, 0, 0), syn)).toEqual([
      { name: 'eth.padding', start: syn.length, before: '0x0000', after: undefined },
    ]);
  });

  it('says when the payload is another one', () => {
    const other = datagram.slice();
    other[other.length - 1] = 9;
    expect(changes(datagram, other)).toEqual([{ name: 'data', start: 42, before: '3 bytes', after: 'other bytes' }]);
  });
});

describe('any bytes', () => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // Real headers with damage, cut anywhere.
    fc
      .tuple(
        fc.constantFrom(syn, datagram, tunnelled, exceeded),
        fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 6 }),
        fc.nat(120),
      )
      .map(([base, damage, length]) => {
        const copy = base.slice(0, length);
        for (const [at, to] of damage) if (at < copy.length) copy[at] = to;
        return copy;
      }),
  );
  const link = fc.constantFrom<'ether' | 'raw'>('ether', 'raw');

  it('never throw, and no field lies outside the frame', () => {
    fc.assert(
      fc.property(frame, frame, link, link, (a, b, from, to) => {
        expect(summary(a, from)).toMatch(/^[^\n]+$/);
        for (const { start, length } of fields(a, from)) {
          expect(length).toBeGreaterThan(0);
          expect(start + length).toBeLessThanOrEqual(a.length);
        }
        expect(differences(a, b, from).length === 0).toBe(Buffer.compare(a, b) === 0);
        changes(a, b, from, to);
        expect(changes(a, a, from)).toEqual([]);
      }),
      { numRuns: 3000 },
    );
  });
});
