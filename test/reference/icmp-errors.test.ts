/** ICMP errors about translated flows, as a real Linux 6.1 director got and sent them; each names its scenario. */
import { describe, expect, it } from 'vitest';
import { type Address, formatAddress, parseAnyAddress } from '../../src/reference/packet/address.js';
import { carriedBy, parseIp, serialiseIp, withLowerHops } from '../../src/reference/packet/ip.js';
import {
  icmpChecksumIsRight,
  isRelated,
  type QuoteChange,
  quotedTuple,
  readQuote,
  reversed,
  translateError,
} from '../../src/reference/quote.js';
import { hex, toHex } from './support.js';

const AT = { vip: '10.0.0.100', server: '10.1.0.22', vip6: 'fd00::100', server6: 'fd00:1::21' };
const address = (name: keyof typeof AT) => parseAnyAddress(AT[name]);

/** An error packet taken apart. */
function read(text: string) {
  const packet = parseIp(hex(text));
  const message = packet.payload.subarray(carriedBy(packet)?.offset ?? 0);
  return { packet, message, quote: readQuote(message.subarray(8), typeof packet.source === 'bigint') };
}

/** The error as it leaves, with other ends outside and within. */
function translated(text: string, ends: { source?: Address; destination?: Address }, change: QuoteChange): string {
  const { packet, message, quote } = read(text);
  if (quote === undefined) throw new Error('nothing quoted');
  expect(icmpChecksumIsRight(packet, message)).toBe(true);
  return toHex(serialiseIp(translateError(withLowerHops(packet), message, quote, ends, change)));
}

const toClient = (text: string, six = false) => {
  const source = address(six ? 'vip6' : 'vip');
  return translated(text, { source }, { destination: source, destinationPort: 80 });
};

const toServer = (text: string, six = false) => {
  const destination = address(six ? 'server6' : 'server');
  return translated(text, { destination }, { source: destination, sourcePort: 8080 });
};

const oneLine = (text: string) => text.replace(/\s+/g, '');

describe('from the server side', () => {
  // What the real server or a router behind it sent, and what the client got.
  it.each([
    [
      'nat-icmp, "host unreachable from the real server"',
      '45c00038032d00004001628e0a0100160a000034030131860000000045000050032140003e06253d0a0000340a010016abe21f9000000006',
      '45c00038032d00003f0163410a0000640a000034030150c60000000045000050032140003e0624f00a0000340a000064abe2005000000006',
    ],
    [
      'nat-icmp, "fragmentation needed, MTU 1300 from a router behind the director"',
      '45c00038032d0000400162570a01004d0a00003403042c6f0000051445000050032140003e06253d0a0000340a010016abe21f9000000006',
      '45c00038032d00003f0163410a0000640a00003403044baf0000051445000050032140003e0624f00a0000340a000064abe2005000000006',
    ],
    [
      'nat-icmp, "host unreachable, whole packet embedded": the checksum inside stays as it was',
      `45c0006c12340000400153530a0100160a0000340301118c0000000045000050032140003e06253d0a0000340a010016abe21f90
       00000006000000655018faf042fa0000474747474747474747474747${'47'.repeat(28)}`,
      `45c0006c123400003f0154060a0000640a000034030130cc0000000045000050032140003e0624f00a0000340a000064abe20050
       00000006000000655018faf042fa0000474747474747474747474747${'47'.repeat(28)}`,
    ],
    [
      'nat-icmp, "embedded packet cut to 27 bytes"',
      '4500003712340000400154480a0100160a0000340301318c0000000045000050032140003e06253d0a0000340a010016abe21f90000000',
      '45000037123400003f0154fb0a0000640a000034030150cc0000000045000050032140003e0624f00a0000340a000064abe20050000000',
    ],
    [
      'nat-icmp, "embedded packet cut to 24 bytes"',
      '45000034123400004001544b0a0100160a0000340301318c0000000045000050032140003e06253d0a0000340a010016abe21f90',
      '45000034123400003f0154fe0a0000640a000034030150cc0000000045000050032140003e0624f00a0000340a000064abe20050',
    ],
    [
      'nat-icmp, "embedded packet has IP options"',
      '4500003c12340000400154430a0100160a00003403012da4000000004600002c123440004006114c0a0000340a01001601010101abe21f90000003e8',
      '4500003c123400003f0154f60a0000640a00003403014ce4000000004600002c12344000400610ff0a0000340a00006401010101abe20050000003e8',
    ],
  ])('%s', (_, came, left) => {
    expect(toClient(came)).toBe(oneLine(left));
  });

  const client = 'fd000000000000000000000000000052';
  const vip = 'fd000000000000000000000000000100';
  const server = 'fd000001000000000000000000000021';
  const router = 'fd000001000000000000000000000077';

  it.each([
    [
      'nat6-raw, "packet too big 1300 from fd00:1::77"',
      `60000000006c3a40${router}${client}020097410000051460000000003c063e${client}${server}
       afc81f90000003e9000000005018faf0556b0000${'47'.repeat(40)}`,
      `60000000006c3a3f${vip}${client}0200b51b0000051460000000003c063e${client}${vip}
       afc80050000003e9000000005018faf0556b0000${'47'.repeat(40)}`,
    ],
    [
      'nat6-raw, "embedded packet cut to 44 bytes"',
      `6000000000343a40${server}${client}0104d3ce0000000060000000003c063e${client}${server}afc81f90`,
      `6000000000343a3f${vip}${client}0104f1520000000060000000003c063e${client}${vip}afc80050`,
    ],
    [
      'nat6-raw, "embedded packet has a hop-by-hop header"',
      `60000000004c3a40${server}${client}01049cb90000000060000000001c0040${client}${server}
       0600010400000000afc81f90000003e9000000005010faf0e72c0000`,
      `60000000004c3a3f${vip}${client}0104ba3d0000000060000000001c0040${client}${vip}
       0600010400000000afc80050000003e9000000005010faf0e72c0000`,
    ],
  ])('%s', (_, came, left) => {
    expect(toClient(came, true)).toBe(oneLine(left));
  });

  it('nat6-raw, "client side: time exceeded from fd00:9::1": the other way', () => {
    const quoted = (ends: string, ports: string) =>
      `6000000000320640${ends}${ports}0000000a000003e95010faf005670000${'44'.repeat(30)}`;
    const other = 'fd000009000000000000000000000001';
    const came = `6000000000623a40${other}${vip}03009b1d00000000${quoted(`${vip}${client}`, '0050afc8')}`;
    const left = `6000000000623a3f${other}${server}03007d9900000000${quoted(`${server}${client}`, '1f90afc8')}`;
    expect(toServer(came, true)).toBe(left);
  });
});

describe('from the client side', () => {
  it.each([
    [
      'nat-icmp, "fragmentation needed, MTU 1200 from 10.9.1.1"',
      '4500003803910000400161c70a0901010a00006403044bb4000004b045000064038540003c0626780a0000640a0000340050abe200000065',
      '45000038039100003f0163140a0901010a01001603042c74000004b045000064038540003c0626c50a0100160a0000341f90abe200000065',
    ],
    [
      'nat-icmp, "embedded packet cut to 24 bytes"',
      '4500003412340000400153fe0a0000340a000064030350ca0000000045000064038540003c0626780a0000640a0000340050abe2',
      '45000034123400003f01554b0a0000340a0100160303318a0000000045000064038540003c0626c50a0100160a0000341f90abe2',
    ],
  ])('%s', (_, came, left) => {
    expect(toServer(came)).toBe(left);
  });
});

describe('what is quoted', () => {
  const tupleOf = (text: string) => {
    const { quote } = read(text);
    return quote === undefined ? undefined : quotedTuple(quote);
  };

  it('names the flow', () => {
    const text =
      '45c00038032d00004001628e0a0100160a000034030131860000000045000050032140003e06253d0a0000340a010016abe21f9000000006';
    const tuple = tupleOf(text);
    if (tuple === undefined) throw new Error('no flow');
    expect([formatAddress(tuple.source), tuple.sourcePort]).toEqual(['10.0.0.52', 0xabe2]);
    expect([formatAddress(tuple.destination), tuple.destinationPort]).toEqual(['10.1.0.22', 8080]);
    expect(reversed(reversed(tuple))).toEqual(tuple);
    expect(reversed(tuple)).toMatchObject({ source: tuple.destination, sourcePort: 8080 });
  });

  it.each([
    [
      'nat-icmp, "cut to 20 bytes"',
      '45000030123400004001544f0a0100160a0000340301fcfe0000000045000050032140003e06253d0a0000340a010016',
    ],
    ['nat-icmp, "cut to 10 bytes"', '4500002612340000400154590a0100160a000034030136870000000045000050032140003e06'],
    [
      'nat-icmp, "a later fragment"',
      '4500003812340000400154470a0100160a000034030170cd0000000045000050032100b93e06253d0a0000340a010016abe21f9000000006',
    ],
  ])('%s names none', (_, text) => {
    expect(tupleOf(text)).toBeUndefined();
  });

  it.each([
    [
      '4500003812340000400154470a0100160a000034030112340000000045000050032140003e06253d0a0000340a010016abe21f9000000006',
    ],
    [
      '4500003812340000400153fa0a0000340a00006403040001000004b045000064038540003c0626780a0000640a0000340050abe200000065',
    ],
  ])('nat-icmp, "bad ICMP checksum": %s', (text) => {
    const { packet, message } = read(text);
    expect(icmpChecksumIsRight(packet, message)).toBe(false);
  });
});

it('of ICMP types 3, 4 and 11 are about flows, of ICMPv6 all errors', () => {
  const four = parseIp(hex('450000141234000040010000 0a010016 0a000034'));
  const six = parseIp(hex(`6000000000003a40${'fd'.repeat(32)}`));
  const types = [0, 3, 4, 5, 8, 11, 12, 13];
  expect(types.filter((type) => isRelated(four, type))).toEqual([3, 4, 11]);
  expect([1, 2, 3, 4, 127, 128, 137].filter((type) => isRelated(six, type))).toEqual([1, 2, 3, 4, 127]);
});
