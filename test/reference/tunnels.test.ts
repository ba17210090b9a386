/** Into tunnels and out of them, on packets of a real Linux 6.1 director; each names its scenario. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decapsulatedEcn, type EcnMode, encapsulatedEcn } from '../../src/reference/ecn.js';
import { parseAnyAddress } from '../../src/reference/packet/address.js';
import { type IpPacket, ipLength, parseIp, serialiseIp } from '../../src/reference/packet/ip.js';
import { IP_FLAG, serialiseIpv4 } from '../../src/reference/packet/ipv4.js';
import { finishChecksum, partialChecksumOf } from '../../src/reference/packet/partial.js';
import {
  decapsulate,
  encapsulate,
  isTunnelProtocol,
  type Tunnel,
  tunnelMtu,
  tunnelOverhead,
} from '../../src/reference/tunnels.js';
import { properties } from '../support/property.js';
import { ip, tcp } from './builders.js';
import { hex, toHex } from './support.js';

const property = properties(import.meta.url);

const V4 = { source: parseAnyAddress('10.1.0.1'), destination: parseAnyAddress('10.1.0.21') };
const V6 = { source: parseAnyAddress('fd00:1::1'), destination: parseAnyAddress('fd00:1::21') };
const PLAIN = { identification: 7, copyDf: true, ecn: 'kernel', sourcePort: 0, destinationPort: 0 } as const;
const IPIP: Tunnel = { ...PLAIN, ...V4, type: 'ipip', checksum: 'nocsum' };

/** Outer packet, kernel's: the tunnel, whether the checksum inside is unfinished, and the bytes. */
const CAPTURED: Record<string, [Partial<Tunnel>, boolean, string]> = {
  'tun-4in6, "TOS 0x1 DF True": IPv4 in IPv6': [
    V6,
    false,
    `601000000028043ffd000001000000000000000000000001fd000001000000000000000000000021
     45010028010340003f0626340a0000350a000064afc80050000003ea000000005010faf0ec480000`,
  ],
  'tun-gue-remcsum, "IP length 1469, DF True" but shorter: GUE without the option': [
    {
      type: 'gue',
      checksum: 'remcsum',
      destination: parseAnyAddress('10.1.0.11'),
      sourcePort: 0x914b,
      destinationPort: 6080,
    },
    false,
    `4500005c000040003f1127840a0100010a01000b914b17c0004856d500040000
     4500003ce73740003f06401f0a0000020a0000649c43005080d1b83c00000000a002faf0a7410000020405b40402080a06ecb4da0000000001030307`,
  ],
  'partial-gue-remcsum: GUE with the option': [
    {
      type: 'gue',
      checksum: 'remcsum',
      destination: parseAnyAddress('10.1.0.11'),
      sourcePort: 0xb12d,
      destinationPort: 6080,
    },
    true,
    `45000064000040003f11277c0a0100010a01000bb12d17c000502a42020400018000000000140024
     4500003cf0ee40003f0636680a0000020a0000649c41005087ebcf9c00000000a002faf014940000020405b40402080a684d52160000000001030307`,
  ],
  'tun6-gue-nocsum, "SYN": IPv6 in GUE over IPv6 without checksum': [
    { ...V6, type: 'gue', sourcePort: 0x9725, destinationPort: 6081 },
    false,
    `600000000048113ffd000001000000000000000000000001fd000001000000000000000000000021972517c100480000
     00290000600000000014063ffd000000000000000000000000000052fd000000000000000000000000000100
     afc80050000003e8000000005002faf0059e0000`,
  ],
  'tun6-gue-remcsum, "SYN": the same with checksum': [
    { ...V6, type: 'gue', checksum: 'remcsum', sourcePort: 0x9725, destinationPort: 6081 },
    false,
    `600000000048113ffd000001000000000000000000000001fd000001000000000000000000000021972517c10048efef
     00290000600000000014063ffd000000000000000000000000000052fd000000000000000000000000000100
     afc80050000003e8000000005002faf0059e0000`,
  ],
  'tun6-gre-csum, "SYN": IPv6 in GRE over IPv6': [
    { ...V6, type: 'gre', checksum: 'csum' },
    false,
    `6000000000442f3ffd000001000000000000000000000001fd000001000000000000000000000021800086dd92e80000
     600000000014063ffd000000000000000000000000000052fd000000000000000000000000000100
     afc80050000003e8000000005002faf0059e0000`,
  ],
  'tun6-gre-csum, "traffic class 0x3 flow label 0x12345": CE is not shown, the flow label stays inside': [
    { ...V6, type: 'gre', checksum: 'csum' },
    false,
    `6020000000442f3ffd000001000000000000000000000001fd000001000000000000000000000021800086dd6f720000
     603123450014063ffd000000000000000000000000000052fd000000000000000000000000000100
     afc80050000003e9000000005010faf0058f0000`,
  ],
  'tun6-gre-csum, "UDP": IPv6 in GRE over IPv4 has no DF': [
    {
      type: 'gre',
      checksum: 'csum',
      destination: parseAnyAddress('10.1.0.22'),
      identification: 0x814c,
    },
    false,
    `45000052814c00003f2fe6180a0100010a010016800086dd87f3000060000000000e113f
     fd000000000000000000000000000052fd000000000000000000000000000100b0900035000e0fb168656c6c6f36`,
  ],
};

describe.each(Object.entries(CAPTURED))('%s', (_, [words, partial, text]) => {
  const tunnel: Tunnel = { ...IPIP, ...words };
  const bytes = hex(text);

  it('comes out', () => {
    const out = decapsulate(parseIp(bytes));
    if (typeof out === 'string') throw new Error(out);
    expect(toHex(bytes).endsWith(toHex(out.bytes))).toBe(true);
    expect(out.family).toBe(out.bytes[0]! >>> 4);
    expect(out.partialChecksum).toEqual(partial ? { start: 20, offset: 36 } : undefined);
    expect(bytes.length - out.bytes.length).toBe(
      tunnelOverhead(tunnel, typeof tunnel.source === 'bigint' ? 6 : 4, partial),
    );
  });

  it('goes in as the kernel does it', () => {
    const out = decapsulate(parseIp(bytes));
    if (typeof out === 'string') throw new Error(out);
    const { packet, partialChecksum } = encapsulate({ packet: parseIp(out.bytes), partialChecksum: partial }, tunnel);
    expect(toHex(serialiseIp(packet))).toBe(toHex(bytes));
    expect(partialChecksum).toBe(false);
  });
});

describe('a checksum still to be finished', () => {
  // Scenario partial-gue-csum: SYN as it came, TTL apart.
  const unfinished = parseIp(
    hex(`4500003ce73740003f06401f0a0000020a0000649c43005080d1b83c00000000a002faf014940000
      020405b40402080a06ecb4da0000000001030307`),
  );

  it.each([
    [{ type: 'gue', checksum: 'csum' }],
    [{ type: 'gre', checksum: 'csum' }],
    [{ type: 'gre', checksum: 'nocsum' }],
    [{ type: 'ipip', checksum: 'nocsum' }],
  ] as const)('stays so in %j, and those outside are right when it is finished', (kind) => {
    const tunnel = { ...IPIP, ...kind };
    const { packet, partialChecksum } = encapsulate({ packet: unfinished, partialChecksum: true }, tunnel);
    expect(partialChecksum).toBe(true);
    const bytes = serialiseIp(packet);
    const inner = tunnelOverhead(tunnel, 4, true);
    expect(toHex(bytes.subarray(inner))).toBe(toHex(serialiseIp(unfinished)));
    const finished = finishChecksum(bytes, { start: inner + 20, offset: inner + 36 });
    expect(toHex(finished.subarray(inner + 36, inner + 38))).toBe('a741');
    expect(decapsulate(parseIp(finished))).toMatchObject({ family: 4 });
  });

  it('is only one in TCP and UDP', () => {
    const gue: Tunnel = { ...IPIP, type: 'gue', checksum: 'remcsum' };
    const { packet } = encapsulate({ packet: ip({ protocol: 132 }), partialChecksum: true }, gue);
    expect(packet.payload[8]).toBe(0);
  });

  it('may be told to be in front of the packet, where that lost a header', () => {
    const gue: Tunnel = { ...IPIP, type: 'gue', checksum: 'remcsum' };
    const { packet } = encapsulate({ packet: unfinished, partialChecksum: { start: 12, offset: -6 } }, gue);
    expect(toHex(packet.payload.subarray(16, 20))).toBe('000cfffa');
  });
});

describe('the outer IPv4 header', () => {
  const outer = (inner: IpPacket, words: Partial<Tunnel> = {}) =>
    encapsulate({ packet: inner, partialChecksum: false }, { ...IPIP, ...words }).packet;

  it.each([
    ['DF is copied and takes the identification away', IP_FLAG.dontFragment, true, { flags: 2, identification: 0 }],
    ['without DF the identification counts', 0, true, { flags: 0, identification: 7 }],
    ['DF is not copied when fragmenting is wanted', IP_FLAG.dontFragment, false, { flags: 0, identification: 7 }],
    ['the reserved bit is not copied', IP_FLAG.reserved, true, { flags: 0, identification: 7 }],
  ])('%s', (_, flags, copyDf, expected) => {
    expect(outer(ip({ flags }), { copyDf })).toMatchObject(expected);
  });

  it('copies TTL and DSCP, and has no options', () => {
    const inner = ip({ ttl: 17, tos: 0xb8, options: Uint8Array.from([1, 1, 1, 1]) });
    const packet = outer(inner);
    expect(packet).toMatchObject({ ttl: 17, tos: 0xb8, protocol: 4, ...V4, options: new Uint8Array(0) });
    expect(toHex(packet.payload)).toBe(toHex(serialiseIpv4(inner)));
  });

  it('has both ends of one family', () => {
    expect(() => outer(ip(), { destination: V6.destination })).toThrow(RangeError);
    expect(() => outer(ip(), { source: V6.source })).toThrow(RangeError);
  });
});

describe('ECN', () => {
  it('goes in by mode', () => {
    const outside = (mode: EcnMode) => [0, 1, 2, 3].map((inner) => encapsulatedEcn(inner, mode));
    expect(outside('kernel')).toEqual([0, 1, 2, 2]);
    expect(outside('rfc6040')).toEqual([0, 0, 0, 0]);
    expect(outside('copy')).toEqual([0, 1, 2, 3]);
  });

  // RFC 6040 §4.2, figure 4: rows inner Not-ECT, ECT(0), ECT(1), CE; columns outer the same.
  const codes = [0, 2, 1, 3] as const;
  const figure = [
    [0, 0, 0, undefined],
    [2, 2, 1, 3],
    [1, 1, 1, 3],
    [3, 3, 3, 3],
  ] as const;

  it.each(codes.flatMap((inner, row) => codes.map((outer, column) => [inner, outer, figure[row]![column]] as const)))(
    'inner %i, outer %i comes out as %s',
    (inner, outer, expected) => {
      expect(decapsulatedEcn(inner, outer)).toBe(expected);
      for (const packet of [ip({ tos: 0xb8 | inner }), { ...SIX, trafficClass: 0xb8 | inner }]) {
        const into = encapsulate({ packet, partialChecksum: false }, IPIP).packet;
        const out = decapsulate({ ...into, tos: outer } as IpPacket);
        if (expected === undefined) expect(out).toBe('tunnel-ecn');
        else {
          if (typeof out === 'string') throw new Error(out);
          const marked = parseIp(out.bytes);
          expect('tos' in marked ? marked.tos : marked.trafficClass).toBe(0xb8 | expected);
          expect(toHex(serialiseIp(marked))).toBe(toHex(out.bytes));
        }
      }
    },
  );
});

const SIX: IpPacket = {
  trafficClass: 0,
  flowLabel: 0x12345,
  nextHeader: 59,
  hopLimit: 64,
  source: 1n,
  destination: 2n,
  payload: new Uint8Array(0),
};

describe('tunnelMtu', () => {
  // Scenarios tun-ipip-mtu, tun-4in6, tun-gre-icmp, tun-gre-csum-icmp, tun-gue-remcsum, partial-gue-remcsum.
  it.each([
    ['ipip', 'nocsum', 4, false, 1480],
    ['ipip', 'nocsum', 6, false, 1460],
    ['gre', 'nocsum', 4, false, 1476],
    ['gre', 'csum', 4, false, 1472],
    ['gue', 'nocsum', 4, true, 1468],
    ['gue', 'remcsum', 4, false, 1468],
    ['gue', 'remcsum', 4, true, 1460],
    ['gue', 'csum', 6, true, 1448],
  ] as const)('%s %s over IPv%i (unfinished: %s) is %i', (type, checksum, family, partial, expected) => {
    expect(tunnelMtu({ type, checksum }, family, 1500, partial)).toBe(expected);
  });

  it('has a smallest value', () => {
    const ipip = { type: 'ipip', checksum: 'nocsum' } as const;
    expect([87, 88].map((mtu) => tunnelMtu(ipip, 4, mtu, false))).toEqual(['tunnel-mtu', 68]);
    expect([1319, 1320].map((mtu) => tunnelMtu(ipip, 6, mtu, false))).toEqual(['tunnel-mtu', 1280]);
  });
});

describe('what does not come out', () => {
  const inner = tcp(0x02, [40000, 80]);
  const of = (protocol: number, payload: Uint8Array) => decapsulate(ip({ protocol, payload }));
  const gue = (change: (bytes: Uint8Array) => void) => {
    const tunnel: Tunnel = { ...IPIP, type: 'gue', checksum: 'csum', sourcePort: 1, destinationPort: 2 };
    const { packet } = encapsulate({ packet: inner, partialChecksum: false }, tunnel);
    const payload = packet.payload.slice();
    change(payload);
    return decapsulate({ ...packet, payload });
  };
  const noChecksum = (bytes: Uint8Array) => bytes.fill(0, 6, 8);

  it.each([
    ['nothing inside', of(4, new Uint8Array(0))],
    ['a short header', of(4, serialiseIpv4(inner).slice(0, 19))],
    ['a total length beyond the packet', of(4, serialiseIpv4(inner).slice(0, 39))],
    ['IPv6 where IPv4 should be', of(4, serialiseIp(SIX))],
    ['IPv4 where IPv6 should be', of(41, serialiseIpv4(inner))],
    ['a payload length beyond the packet', of(41, serialiseIp({ ...SIX, payload: hex('00') }).slice(0, 40))],
    ['another EtherType in GRE', of(47, hex('00000806'))],
    ['GRE cut short', of(47, hex('000008'))],
    ['an outer extension header cut short', decapsulate({ ...SIX, nextHeader: 60 })],
    ['a short UDP header', of(17, new Uint8Array(7))],
    ['a UDP length below 8', gue((bytes) => bytes.fill(0, 4, 6))],
    ['a UDP length beyond the packet', gue((bytes) => bytes.fill(255, 4, 6))],
    ['GUE cut short', gue((bytes) => noChecksum(bytes).set([0, 11], 4))],
    ['a control message', gue((bytes) => noChecksum(bytes).set([0x20], 8))],
    ['another protocol in GUE', gue((bytes) => noChecksum(bytes).set([47], 9))],
  ])('%s', (_, result) => {
    expect(result).toBe('tunnel-malformed');
  });

  it('a wrong checksum', () => {
    expect(gue((bytes) => bytes.fill(255, 7, 8))).toBe('tunnel-checksum');
  });

  it('something else than a tunnel', () => {
    expect(() => of(6, new Uint8Array(20))).toThrow(RangeError);
    expect([4, 41, 47, 17, 6].map(isTunnelProtocol)).toEqual([true, true, true, false, false]);
  });

  it('a checksum to finish beyond the inner packet', () => {
    const option = hex('020400018000000000140028');
    const payload = Uint8Array.from([0, 1, 0, 2, 0, 64, 0, 0, ...option, ...serialiseIpv4(inner), 0, 0, 0, 0]);
    expect(of(17, payload)).toBe('tunnel-malformed');
    payload.set([0, 0x26], 18);
    expect(of(17, payload)).toMatchObject({ partialChecksum: { start: 20, offset: 38 } });
  });

  it('but padding is left out, and outer extension headers are passed over', () => {
    const padded = Uint8Array.from([...serialiseIpv4(inner), 1, 2]);
    expect(of(4, padded)).toEqual(of(4, serialiseIpv4(inner)));
    const payload = Uint8Array.from([4, 0, 1, 4, 0, 0, 0, 0, ...serialiseIpv4(inner)]);
    expect(decapsulate({ ...SIX, nextHeader: 60, payload })).toEqual(of(4, serialiseIpv4(inner)));
  });
});

const anyTunnel = fc.record({
  kind: fc.constantFrom(
    { type: 'ipip', checksum: 'nocsum' } as const,
    { type: 'gre', checksum: 'nocsum' } as const,
    { type: 'gre', checksum: 'csum' } as const,
    { type: 'gue', checksum: 'nocsum' } as const,
    { type: 'gue', checksum: 'csum' } as const,
    { type: 'gue', checksum: 'remcsum' } as const,
  ),
  ends: fc.constantFrom(V4, V6),
  identification: fc.nat(0xffff),
  copyDf: fc.boolean(),
  sourcePort: fc.nat(0xffff),
  ecn: fc.constantFrom<EcnMode>('kernel', 'rfc6040', 'copy'),
});

property(
  'what goes in comes out',
  fc.property(anyTunnel, fc.boolean(), fc.nat(255), fc.nat(300), fc.boolean(), (words, six, tos, data, partial) => {
    const { kind, ends, ...rest } = words;
    const tunnel = { ...kind, ...ends, ...rest, destinationPort: 6080 };
    const four = tcp(0x10, [40000, 80], { tos }, data);
    const packet = six ? { ...SIX, trafficClass: tos, nextHeader: 6, payload: four.payload } : four;
    const into = encapsulate({ packet, partialChecksum: partial }, tunnel);
    const overhead = tunnelOverhead(tunnel, typeof ends.source === 'bigint' ? 6 : 4, partial);
    expect(ipLength(into.packet)).toBe(ipLength(packet) + overhead);
    const stays = partial && tunnel.checksum !== 'remcsum';
    expect(into.partialChecksum).toBe(stays);
    const where = partialChecksumOf(packet);
    if (where === undefined) throw new Error('no TCP');
    const place = { start: where.start + overhead, offset: where.offset + overhead };
    const bytes = serialiseIp(into.packet);
    const out = decapsulate(parseIp(stays ? finishChecksum(bytes, place) : bytes));
    if (typeof out === 'string') throw new Error(out);
    expect(out.partialChecksum).toEqual(partial && !stays ? where : undefined);
    const given = serialiseIp(packet);
    expect(toHex(out.bytes)).toBe(toHex(stays ? finishChecksum(given, where) : given));
  }),
);
