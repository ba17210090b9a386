/** Packet formats beyond IPv4, TCP, UDP and ICMP, on packets of a real Linux 6.1 director; each names its scenario. */
import { describe, expect, it } from 'vitest';
import { parseAnyAddress } from '../../src/reference/packet/address.js';
import { checksumIsRight, concatenate, pseudoHeader } from '../../src/reference/packet/checksum.js';
import { parseGre, serialiseGre } from '../../src/reference/packet/gre.js';
import { parseGue, serialiseGue } from '../../src/reference/packet/gue.js';
import {
  icmpv6ChecksumIsRight,
  isIcmpv6Error,
  parseIcmpv6,
  serialiseIcmpv6,
} from '../../src/reference/packet/icmpv6.js';
import { carriedBy, parseIp, serialiseIp, withHops } from '../../src/reference/packet/ip.js';
import { findIpv6Fault, parseIpv6, serialiseIpv6 } from '../../src/reference/packet/ipv6.js';
import {
  findHopByHopFault,
  findUpper,
  parseFragmentHeader,
  serialiseFragmentHeader,
  withoutFragmentHeader,
} from '../../src/reference/packet/ipv6-extensions.js';
import { finishChecksum, partialChecksumOf } from '../../src/reference/packet/partial.js';
import { crc32c, parseSctp, sctpChunks, serialiseSctp } from '../../src/reference/packet/sctp.js';
import { hex, toHex } from './support.js';

const CLIENT = 'fd000000000000000000000000000052';
const VIP = 'fd000000000000000000000000000100';

/** Scenario nat6-raw, "traffic class 0xb9 flow label 0x7". */
const TCP6 = hex(`6b900007 0014 06 40 ${CLIENT}${VIP} afc80050 000003e9 00000000 5010faf0 058f0000`);

describe('IPv6', () => {
  it('reads every field and writes it back', () => {
    const packet = parseIpv6(TCP6);
    expect(packet).toMatchObject({ trafficClass: 0xb9, flowLabel: 7, nextHeader: 6, hopLimit: 64 });
    expect([packet.source, packet.destination]).toEqual(['fd00::52', 'fd00::100'].map(parseAnyAddress));
    expect(packet.payload.length).toBe(20);
    expect(toHex(serialiseIpv6(packet))).toBe(toHex(TCP6));
    expect(toHex(serialiseIp(parseIp(TCP6)))).toBe(toHex(TCP6));
    expect(withHops(packet, 63)).toEqual({ ...packet, hopLimit: 63 });
  });

  it('has a pseudo-header of its own (RFC 8200 §8.1)', () => {
    const { source, destination, payload } = parseIpv6(TCP6);
    expect(checksumIsRight(concatenate(pseudoHeader(source, destination, 6, payload.length), payload))).toBe(true);
    expect(toHex(pseudoHeader(source, destination, 6, 0x12345))).toBe(`${CLIENT}${VIP}0001234500000006`);
  });

  it('leaves out what follows the payload length', () => {
    expect(parseIpv6(concatenate(TCP6, new Uint8Array(6))).payload.length).toBe(20);
  });

  it.each([
    ['ipv6-truncated', TCP6.slice(0, 39)],
    ['ipv6-truncated', new Uint8Array(0)],
    ['ipv6-version', Uint8Array.from(TCP6, (byte, i) => (i === 0 ? 0x4b : byte))],
    ['ipv6-payload-length', TCP6.slice(0, 59)],
    ['ipv6-payload-length', Uint8Array.from(TCP6, (byte, i) => (i >= 4 && i < 7 ? 0 : byte))],
  ])('%s', (fault, bytes) => {
    expect(findIpv6Fault(bytes)).toBe(fault);
    expect(() => parseIpv6(bytes)).toThrow(RangeError);
  });

  it('may be empty', () => {
    expect(findIpv6Fault(hex(`60000000 0000 3b 40 ${CLIENT}${VIP}`))).toBeUndefined();
  });
});

const TCP = 'afc80050 000003e9 00000000 5010faf0 058f0000';
const withPayload = (nextHeader: number, payload: string) => ({
  ...parseIpv6(TCP6),
  nextHeader,
  payload: hex(payload),
});

describe('extension headers', () => {
  // The first four: scenario nat6-raw.
  it.each([
    ['hop-by-hop', 0, `0600010400000000 ${TCP}`, 6, 8],
    ['destination options', 60, `0600010400000000 ${TCP}`, 6, 8],
    ['routing', 43, `0602000000000000 ${CLIENT} ${TCP}`, 6, 24],
    ['hop-by-hop, destination options', 0, `3c00010400000000 0600010400000000 ${TCP}`, 6, 16],
    ['authentication', 51, `0604000000000001 00000002 ${'00'.repeat(12)} ${TCP}`, 6, 24],
    ['atomic fragment', 44, `0600000001020304 ${TCP}`, 6, 8],
    ['first fragment', 44, `3c00000101020304 0600010400000000 ${TCP}`, 6, 16],
    ['later fragment', 44, `3c0004d111223344 0600`, 60, 8],
    ['none', 6, TCP, 6, 0],
    ['no next header', 59, '', 59, 0],
    ['ESP', 60, '3200010400000000 0600', 50, 8],
  ])('%s', (_, nextHeader, payload, protocol, offset) => {
    expect(findUpper(withPayload(nextHeader, payload))).toMatchObject({ protocol, offset });
  });

  it.each([
    ['hop-by-hop', 0, ''],
    ['hop-by-hop', 0, '06'],
    ['hop-by-hop', 0, '06000104000000'],
    ['destination options', 60, '0601010400000000'],
    ['fragment', 44, '06000000010203'],
    ['authentication', 51, '0604000000000001000000020000000000000000000000'],
    ['one of two', 0, '3c00010400000000 06'],
  ])('%s, truncated', (_, nextHeader, payload) => {
    expect(findUpper(withPayload(nextHeader, payload))).toBe('ipv6-truncated');
    expect(carriedBy(withPayload(nextHeader, payload))).toBeUndefined();
  });

  it('tell a later fragment', () => {
    expect(carriedBy(withPayload(44, '0600000001020304'))?.isLaterFragment).toBe(false);
    expect(carriedBy(withPayload(44, '060004d001020304'))?.isLaterFragment).toBe(true);
  });

  it('a fragment header is read and written', () => {
    const bytes = hex('110004d111223344');
    const header = { nextHeader: 17, offset: 0x9a, more: true, identification: 0x11223344 };
    expect(parseFragmentHeader(bytes)).toEqual(header);
    expect(toHex(serialiseFragmentHeader(header))).toBe(toHex(bytes));
    expect(() => parseFragmentHeader(bytes.slice(1))).toThrow(RangeError);
  });

  it('an atomic fragment loses its header', () => {
    const alone = withoutFragmentHeader(withPayload(44, `0600000001020304 ${TCP}`));
    expect(alone).toEqual(withPayload(6, TCP));
    const behind = withoutFragmentHeader(withPayload(0, `2c00010400000000 0600000001020304 ${TCP}`));
    expect(behind).toEqual(withPayload(0, `0600010400000000 ${TCP}`));
    expect(withoutFragmentHeader(parseIpv6(TCP6))).toEqual(parseIpv6(TCP6));
  });
});

describe('hop-by-hop options', () => {
  const fault = (payload: string, destination = 'fd00::100') =>
    findHopByHopFault({ ...withPayload(0, payload), destination: parseAnyAddress(destination) as bigint });
  const silent = { reason: 'ipv6-extension', problem: undefined };

  it.each([
    ['PadN', '0600010400000000'],
    ['Pad1', '0600000000000100'],
    ['router alert', '06000502 0000 0100'],
    ['an unknown option to skip', '06003e0400000000'],
    ['eight options', `0602${'3e00'.repeat(8)}010400000000`],
  ])('%s passes', (_, options) => {
    expect(fault(options)).toBeUndefined();
  });

  it('are looked for only behind the IPv6 header', () => {
    expect(findHopByHopFault(withPayload(60, '06007e0400000000'))).toBeUndefined();
  });

  it.each([
    ['too much PadN', '060101060000000000003e0400000000'],
    ['too much Pad1', '0601000000000000000000003e020000'],
    ['PadN that is not zero', '0600010400000100'],
    ['an option beyond the header', '06003e0500000000'],
    ['an option cut short', '060001030000003e'],
    ['router alert of another length', '06000504 00000000'],
    ['an unknown option to drop', '06007e0400000000'],
    ['nine options', `0602${'3e00'.repeat(9)}01020000`],
    ['a jumbo payload of another length', '0600c2020001 0100'],
    ['a jumbo payload out of place', '06010100 c20400010000 010400000000'],
  ])('%s: dropped silently', (_, options) => {
    expect(fault(options)).toEqual(silent);
  });

  it.each([
    ['unknown, to be answered', '0600be0400000000', 2, 42],
    ['unknown, to be answered unless multicast', '0600fe0400000000', 2, 42],
    ['second', '0600 0100 8202 0000', 2, 44],
    ['a jumbo payload that needs no option', '0600c2040000ffff', 0, 44],
    ['a jumbo payload beside a length', '0600c20400010000', 0, 42],
  ])('%s: parameter problem', (_, options, code, pointer) => {
    expect(fault(options)).toEqual({ reason: 'ipv6-extension', problem: { code, pointer } });
  });

  it('to a multicast address, some are not answered', () => {
    expect(fault('0600fe0400000000', 'ff02::1')).toEqual(silent);
    expect(fault('0600be0400000000', 'ff02::1')?.problem).toEqual({ code: 2, pointer: 42 });
  });

  it('truncated', () => {
    expect(fault('06010104000000003e')).toEqual({ reason: 'ipv6-truncated', problem: undefined });
    expect(fault('06')).toEqual({ reason: 'ipv6-truncated', problem: undefined });
  });
});

describe('ICMPv6', () => {
  // Scenario nat6-raw, "packet too big 1300 from fd00:1::21", as it leaves.
  const bytes = hex(`60000000 006c 3a 3f ${VIP}${CLIENT} 0200b51b 00000514 60000000 003c063e ${CLIENT}${VIP}
    afc80050 000003e9 00000000 5018faf0 556b0000 ${'47'.repeat(40)}`);
  const { source, destination, payload } = parseIpv6(bytes);

  it('is read and written with its checksum', () => {
    const message = parseIcmpv6(payload);
    expect(message).toMatchObject({ type: 2, code: 0, rest: 1300 });
    expect(toHex(serialiseIcmpv6(message, source, destination))).toBe(toHex(payload));
    expect(icmpv6ChecksumIsRight(payload, source, destination)).toBe(true);
    expect(icmpv6ChecksumIsRight(payload, source, destination + 1n)).toBe(false);
    expect(() => parseIcmpv6(payload.slice(0, 7))).toThrow(RangeError);
  });

  it('errors have types below 128', () => {
    expect([0, 1, 4, 127, 128, 137].map(isIcmpv6Error)).toEqual([true, true, true, true, false, false]);
  });
});

describe('SCTP', () => {
  it('sums CRC32c as RFC 3720 B.4 shows it', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  // Scenario sctp-nat.
  it.each([
    ['INIT', 'c7380f1d00000000d4812974010000140000111100010000000a000a00000001', [1]],
    ['COOKIE ECHO', 'c7380f1d0000222222ce6ae20a00000c636f6f6b69652121', [10]],
    ['DATA of 7 bytes', 'c7380f1d00002222c8453f260003001700000007000000000000000000070e151c232a00', [0]],
  ])('%s', (_, text, chunks) => {
    const packet = parseSctp(hex(text));
    expect(packet).toMatchObject({ sourcePort: 0xc738, destinationPort: 0x0f1d });
    expect(toHex(serialiseSctp(packet))).toBe(text);
    expect(toHex(serialiseSctp({ ...packet, sourcePort: 1 }, packet.checksum)).slice(16, 24)).toBe(text.slice(16, 24));
    expect(sctpChunks(packet.payload).map(({ type }) => type)).toEqual(chunks);
  });

  it('finds bundled chunks', () => {
    const chunks = sctpChunks(hex('0a000007 aabbcc00 06010004 0300ffff'));
    expect(chunks).toEqual([
      { type: 10, flags: 0, length: 7 },
      { type: 6, flags: 1, length: 4 },
      { type: 3, flags: 0, length: 0xffff },
    ]);
    expect(sctpChunks(hex('0a000003 06010004'))).toHaveLength(1);
    expect(sctpChunks(hex('0a0000'))).toEqual([]);
  });

  it('too short', () => {
    expect(() => parseSctp(new Uint8Array(11))).toThrow(RangeError);
  });
});

describe('GRE', () => {
  // Scenario tun6-gre-csum, "SYN".
  const text = `800086dd92e80000 60000000 0014 06 3f ${CLIENT}${VIP} afc80050000003e8000000005002faf0059e0000`;
  const bytes = hex(text);

  it('with a checksum is read and written', () => {
    const packet = parseGre(bytes);
    if (typeof packet === 'string') throw new Error(packet);
    expect(packet).toMatchObject({ hasChecksum: true, protocolType: 0x86dd });
    expect(toHex(serialiseGre(packet))).toBe(toHex(bytes));
  });

  it('without one, too', () => {
    const packet = { hasChecksum: false, protocolType: 0x0800, payload: hex('4500') };
    expect(toHex(serialiseGre(packet))).toBe('000008004500');
    expect(parseGre(hex('000008004500'))).toEqual(packet);
    // Bits 4 to 12 are ignored.
    expect(parseGre(hex('0ff808004500'))).toEqual(packet);
  });

  it('with a key and a sequence number is read', () => {
    const packet = { hasChecksum: false, protocolType: 0x0800, payload: hex('4500') };
    expect(parseGre(hex('20000800000000014500'))).toEqual(packet);
    expect(parseGre(hex('10000800000000014500'))).toEqual(packet);
    expect(parseGre(hex('3000080000000001000000024500'))).toEqual(packet);
  });

  it.each([
    ['routing', '4000080000000000'],
    ['key cut', '20000800000000'],
    ['version 1', '0001880b'],
    ['three bytes', '000008'],
    ['checksum cut', '80000800000000'],
  ])('%s is refused', (_, refused) => {
    expect(parseGre(hex(refused))).toBe('tunnel-malformed');
  });

  it('with a wrong checksum is refused', () => {
    expect(parseGre(bytes.map((byte, i) => (i === 20 ? byte + 1 : byte)))).toBe('tunnel-checksum');
  });
});

describe('GUE', () => {
  // Scenario partial-gue-remcsum; the inner packet is cut short here.
  const remote = `0204 0001 80000000 0014 0024 ${'45'.repeat(38)}`;

  it('is read and written', () => {
    const plain = { control: false, protocol: 41, remoteChecksum: undefined, payload: hex('60') };
    expect(parseGue(hex('0029000060'))).toEqual(plain);
    expect(toHex(serialiseGue(plain))).toBe('0029000060');
    const offloaded = { control: false, protocol: 4, remoteChecksum: { start: 20, offset: 36 } };
    expect(parseGue(hex(remote))).toMatchObject(offloaded);
    expect(toHex(serialiseGue({ ...offloaded, payload: hex('45'.repeat(38)) }))).toBe(toHex(hex(remote)));
    expect(parseGue(hex('20000000'))).toMatchObject({ control: true, protocol: 0 });
    expect(toHex(serialiseGue({ ...plain, control: true, payload: hex('') }))).toBe('20290000');
  });

  it.each([
    ['options beyond the flags', '0304000180000000 00140024 00000000', undefined],
    ['no private flag set', '0104000100000000', { remoteChecksum: undefined }],
    ['options without flags', '0104000000000000', { remoteChecksum: undefined }],
  ])('%s are skipped', (_, header, expected) => {
    expect(parseGue(hex(`${header}${'45'.repeat(38)}`))).toMatchObject({
      ...expected,
      payload: hex('45'.repeat(38)),
    });
  });

  it.each([
    ['version 1', '45000000'],
    ['three bytes', '000400'],
    ['options cut', '01040000000000'],
    ['an unknown flag', '0004000245'],
    ['an unknown private flag', '0104000140000000'],
    ['no room for private flags', '00040001'],
    ['no room for the remote checksum', '0104000180000000'],
    ['a remote checksum beyond the packet', `020400018000000000140025${'45'.repeat(38)}`],
    ['a remote checksum that begins beyond the packet', `020400018000000000270024${'45'.repeat(38)}`],
  ])('%s is refused', (_, refused) => {
    expect(parseGue(hex(refused))).toBe('tunnel-malformed');
  });
});

describe('a checksum still to be finished', () => {
  // Scenario partial-gue-csum: SYN as it came, and as it went on.
  const came = `4500003ce737400040063f1f0a0000020a0000649c43005080d1b83c00000000a002faf01494000002
    0405b40402080a06ecb4da0000000001030307`;

  it('is found and finished', () => {
    const partial = partialChecksumOf(parseIp(hex(came)));
    expect(partial).toEqual({ start: 20, offset: 36 });
    if (partial === undefined) throw new Error('not found');
    expect(toHex(finishChecksum(hex(came), partial)).slice(72, 76)).toBe('a741');
    expect(partialChecksumOf({ ...parseIpv6(TCP6), payload: hex('00'.repeat(18)) })).toEqual({ start: 40, offset: 56 });
    expect(partialChecksumOf(withPayload(0, `1100010400000000${'00'.repeat(8)}`))).toEqual({ start: 48, offset: 54 });
  });

  it('is not, where there is none', () => {
    expect(partialChecksumOf(withPayload(6, '00'.repeat(17)))).toBeUndefined();
    expect(partialChecksumOf(withPayload(58, '00'.repeat(20)))).toBeUndefined();
    expect(partialChecksumOf(withPayload(44, '060004d011223344'.padEnd(60, '0')))).toBeUndefined();
    expect(partialChecksumOf(withPayload(0, '06'))).toBeUndefined();
  });

  it('that comes out as zero is spelt 0xffff', () => {
    expect(toHex(finishChecksum(hex('00000001fffe'), { start: 0, offset: 2 }))).toBe('0000fffffffe');
    expect(toHex(finishChecksum(hex('0000fffe0001'), { start: 2, offset: 2 }))).toBe('0000ffff0001');
  });
});
