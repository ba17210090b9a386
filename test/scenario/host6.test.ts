import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type ScenarioResult, verifyScenario } from '../../src/scenario/verify.js';
import { type Crafted, craft, type Script, Scripted, type Timed, temporary } from './folder.js';
import {
  bytes,
  C0_MAC,
  CLI_MAC,
  chunk,
  ether,
  fragment6,
  hex,
  icmp6,
  ip,
  ip6,
  ipv4,
  ipv6,
  sctp,
  sealed6,
  tcp6Frame,
  tcpFrame,
  u16,
  udp,
} from './packets.js';

const parent = temporary();
afterAll(() => rmSync(parent, { recursive: true }));

let count = 0;
function run(crafted: Crafted, script: Script): Promise<ScenarioResult> {
  return verifyScenario(craft(parent, `case-${++count}`, crafted), () => new Scripted(script));
}

const leftTo =
  (reason: string): Script =>
  () => [{ verdict: 'local', reason, outInterface: undefined }];

const timed = (frames: Uint8Array[], at = 0): Timed[] => frames.map((data, i) => ({ at: at + i * 10, data }));

/** Whether `answer` counts as the host's when `asked` was left to it. */
async function isHost(asked: Uint8Array, answer: Uint8Array, reason = 'local-delivery'): Promise<boolean> {
  const { host, passed } = await run({ cliIn: timed([asked]), cliOut: timed([answer], 1) }, leftTo(reason));
  expect(passed).toBe(host.length === 1);
  return passed;
}

const [CLIENT, VIP] = ['fd00::2', 'fd00::100'];
const toHost = (protocol: number, payload: Uint8Array) =>
  ether(C0_MAC, CLI_MAC, ipv6({ src: CLIENT, dst: VIP, protocol, payload }), 0x86dd);
const fromHost = (protocol: number, payload: Uint8Array, src = VIP) =>
  ether(CLI_MAC, C0_MAC, ipv6({ src, dst: CLIENT, protocol, payload }), 0x86dd);
const message = (type: number, code: number, rest: number[], data: ArrayLike<number>) =>
  icmp6(VIP, CLIENT, type, code, rest, data);
const about = (asked: Uint8Array, type: number, code: number) =>
  fromHost(58, message(type, code, [0, 0, 0, 0], asked.slice(14)));

/** The ICMPv6 errors about a frame that count as the host's. */
async function errorsAbout(frame: Uint8Array): Promise<string[]> {
  const found: string[] = [];
  for (const [type, code] of [
    [1, 0],
    [1, 3],
    [1, 4],
    [2, 0],
    [3, 0],
    [4, 0],
    [4, 1],
  ] as const) {
    if (await isHost(frame, about(frame, type, code))) found.push(`${type}/${code}`);
  }
  return found;
}

describe('over IPv6 the host answers', () => {
  const late = tcp6Frame({ sport: 48000, dport: 80, flags: 16, ack: 7 });

  it('a TCP segment with a RST', async () => {
    const reset = (seq: number, src = VIP) =>
      tcp6Frame({ src, dst: CLIENT, sport: 80, dport: 48000, flags: 4, seq, from: CLI_MAC, to: C0_MAC });
    expect(await isHost(late, reset(7))).toBe(true);
    expect(await isHost(late, reset(8))).toBe(false);
    expect(await isHost(late, reset(7, 'fd00::1'))).toBe(false);
    expect(await errorsAbout(late)).toEqual([]);
  });

  it('a datagram with port unreachable, behind extension headers, too', async () => {
    const datagram = sealed6(CLIENT, VIP, 17, 6, udp('0.0.0.0', '0.0.0.0', 5000, 99, [1, 2, 3]));
    expect(await errorsAbout(toHost(17, datagram))).toEqual(['1/4']);
    // And about these headers themselves.
    expect(await errorsAbout(toHost(60, bytes(17, 0, 1, 4, 0, 0, 0, 0, datagram)))).toEqual(['1/4', '4/0', '4/1']);
    const other = about(toHost(17, datagram), 1, 4);
    other[80]! ^= 1;
    expect(await isHost(toHost(17, datagram), other)).toBe(false);
  });

  it('what came in fragments as the whole that it became', async () => {
    const datagram = sealed6(CLIENT, VIP, 17, 6, udp('0.0.0.0', '0.0.0.0', 5000, 99, Array(16).fill(3)));
    const whole = toHost(17, datagram);
    const pieces = [
      toHost(44, fragment6(17, 0, true, 7, datagram.slice(0, 16))),
      toHost(44, fragment6(17, 16, false, 7, datagram.slice(16))),
    ];
    const crafted = { cliIn: timed(pieces), cliOut: timed([about(whole, 1, 4)], 11) };
    const script: Script = (_, i) =>
      i === 0
        ? [{ verdict: 'held', reason: 'fragment-held', outInterface: undefined }]
        : [{ verdict: 'local', reason: 'local-delivery', outInterface: undefined, frame: whole.subarray(14) }];
    expect(await run(crafted, script)).toMatchObject({ passed: true, host: [{ cause: { frame: 2 } }] });
    expect(await run(crafted, leftTo('local-delivery'))).toMatchObject({ passed: false, host: [] });
  });

  it('another protocol with unknown next header', async () => {
    expect(await errorsAbout(toHost(253, bytes(1, 2, 3, 4, 5, 6, 7, 8)))).toEqual(['4/1']);
  });

  it('SCTP with an ABORT', async () => {
    const init = toHost(132, sctp(48000, 80, 0, chunk(1, Array(16).fill(1))));
    expect(await isHost(init, fromHost(132, sctp(80, 48000, 1, chunk(6))))).toBe(true);
    expect(await isHost(init, fromHost(132, sctp(80, 48000, 1, chunk(2))))).toBe(false);
    expect(await isHost(init, fromHost(132, sctp(80, 48001, 1, chunk(6))))).toBe(false);
  });

  it('an error about its own tunnel to the sender of what was in it', async () => {
    const lost = ipv6({
      src: CLIENT,
      dst: 'fd00::101',
      protocol: 17,
      payload: bytes(u16(48000), u16(53), u16(12), u16(0), hex('01020304')),
    });
    const sent = ipv6({ src: VIP, dst: 'fd00:1::21', protocol: 41, payload: lost });
    const asked = toHost(58, icmp6(CLIENT, VIP, 1, 0, [0, 0, 0, 0], sent));
    const told = (type: number, code: number, data: Uint8Array) =>
      isHost(asked, fromHost(58, message(type, code, [0, 0, 0, 0], data)));
    expect(await told(1, 3, lost)).toBe(true);
    expect(await told(1, 4, lost)).toBe(false);
    expect(await told(1, 3, sent)).toBe(false);
    expect(await told(1, 3, lost.slice(0, 44))).toBe(false);
  });

  it('an error about its own tunnel, whatever version and length the quoted packet says it has', async () => {
    const lost = ipv6({ src: CLIENT, dst: 'fd00::101', protocol: 59, payload: bytes(hex('0102030405060708')) });
    const sent = ipv6({ src: VIP, dst: 'fd00:1::21', protocol: 41, payload: lost });
    sent[0] = 0xb0;
    sent.set([0, 0], 4);
    const asked = toHost(58, icmp6(CLIENT, VIP, 1, 0, [0, 0, 0, 0], sent));
    expect(await isHost(asked, fromHost(58, message(1, 3, [0, 0, 0, 0], lost)))).toBe(true);
  });

  it('SCTP from an IPv4-mapped address over IPv4', async () => {
    const init = sctp(48000, 80, 0, chunk(1, Array(16).fill(1)));
    const asked = ether(C0_MAC, CLI_MAC, ipv6({ src: '::ffff:a00:2', dst: VIP, protocol: 132, payload: init }), 0x86dd);
    const answered = (dst: string, payload: Uint8Array) =>
      isHost(asked, ether(CLI_MAC, C0_MAC, ipv4({ src: '10.0.0.100', dst, protocol: 132, payload })));
    expect(await answered('10.0.0.2', sctp(80, 48000, 1, chunk(6)))).toBe(true);
    expect(await answered('10.0.0.3', sctp(80, 48000, 1, chunk(6)))).toBe(false);
    expect(await answered('10.0.0.2', sctp(80, 48000, 1, chunk(2)))).toBe(false);
    expect(await answered('10.0.0.2', sctp(81, 48000, 1, chunk(6)))).toBe(false);
  });

  it('an echo request with its reply', async () => {
    const request = toHost(58, icmp6(CLIENT, VIP, 128, 0, [0, 1, 0, 2], [5]));
    expect(await isHost(request, fromHost(58, message(129, 0, [0, 1, 0, 2], [5])))).toBe(true);
    expect(await isHost(request, fromHost(58, message(129, 0, [0, 1, 0, 3], [5])))).toBe(false);
    expect(await isHost(request, fromHost(58, message(128, 0, [0, 1, 0, 2], [5])))).toBe(false);
  });

  it('a solicitation with the advertisement of that address', async () => {
    const wanted = [...ip6(VIP)];
    const solicitation = ether(
      C0_MAC,
      '33:33:ff:00:01:00',
      ipv6({
        src: CLIENT,
        dst: 'ff02::1:ff00:100',
        protocol: 58,
        hops: 255,
        payload: icmp6(CLIENT, 'ff02::1:ff00:100', 135, 0, [0, 0, 0, 0], wanted),
      }),
      0x86dd,
    );
    const answer = fromHost(58, message(136, 0, [0x60, 0, 0, 0], [...wanted, 2, 1, ...hex(CLI_MAC)]));
    const crafted = { cliIn: timed([solicitation]), cliOut: timed([answer], 1) };
    expect(await run(crafted, leftTo('link-group'))).toMatchObject({ passed: true, host: [{ cause: { frame: 1 } }] });
  });
});

describe('the host says without being asked', () => {
  /** Whether a frame that follows nothing that was left to the host counts as its own. */
  const isDiscovery = async (frame: Uint8Array) => {
    const data = tcpFrame({ sport: 1, dport: 2 });
    const { host, passed } = await run({ cliIn: timed([data]), cliOut: timed([frame], 1) }, () => []);
    expect(host.every(({ cause }) => cause === undefined)).toBe(true);
    return passed;
  };
  const solicitation = (from: string, type = 135) =>
    ether(
      from,
      '33:33:ff:00:00:02',
      ipv6({
        src: 'fe80::1',
        dst: 'ff02::1:ff00:2',
        protocol: 58,
        hops: 255,
        payload: icmp6('fe80::1', 'ff02::1:ff00:2', type, 0, [0, 0, 0, 0], [...ip6(CLIENT)]),
      }),
      0x86dd,
    );
  const request = (from: string) =>
    ether(
      from,
      'ff:ff:ff:ff:ff:ff',
      bytes(u16(1), u16(0x800), 6, 4, u16(1), hex(from), ip('10.0.0.1'), hex('00:00:00:00:00:00'), ip('10.0.0.9')),
      0x0806,
    );

  it('what it wants to know of its neighbours, and which groups it is in', async () => {
    for (const type of [133, 135, 136, 143])
      expect(await isDiscovery(solicitation(CLI_MAC, type)), `${type}`).toBe(true);
    expect(await isDiscovery(request(CLI_MAC))).toBe(true);
  });

  it('nothing else, and nobody for it', async () => {
    for (const type of [1, 2, 3, 4, 128, 129])
      expect(await isDiscovery(solicitation(CLI_MAC, type)), `${type}`).toBe(false);
    expect(await isDiscovery(solicitation(C0_MAC))).toBe(false);
    expect(await isDiscovery(request(C0_MAC))).toBe(false);
  });
});

describe('a socket of the host', () => {
  // The host opens a connection through IPVS to a server, which answers it.
  const ends = { src: '10.0.0.1', dst: '10.1.0.11', sport: 47011, dport: 8080, from: CLI_MAC, to: C0_MAC };
  const back = { src: '10.1.0.11', dst: '10.0.0.1', sport: 8080, dport: 47011 };
  const opening = tcpFrame({ ...ends, flags: 2, seq: 100 });
  const accepted = tcpFrame({ ...back, flags: 0x12, seq: 500, ack: 101 });
  const more = tcpFrame({ ...ends, flags: 0x10, seq: 101, ack: 501 });
  const crafted: Crafted = {
    srvIn: [{ at: 5, data: accepted }],
    srvOut: [
      { at: 4, data: opening },
      { at: 6, data: more },
    ],
  };

  it('is told by the answer to its SYN that was left to the host', async () => {
    const result = await run(crafted, leftTo('local-delivery'));
    expect(result).toMatchObject({ passed: true, matched: 0, expected: 0 });
    expect(result.host.map(({ cause }) => cause)).toEqual(
      [1, 2].map(() => ({ capture: 'srv-in', frame: 1, reason: 'local-delivery', relation: 'own socket of' })),
    );
  });

  it('is none without that answer, of other ends or numbers', async () => {
    expect(await run(crafted, () => [])).toMatchObject({ passed: false, host: [] });
    const others: Uint8Array[] = [
      tcpFrame({ ...back, flags: 0x10, seq: 500, ack: 101 }),
      tcpFrame({ ...back, flags: 0x12, seq: 500, ack: 102 }),
      tcpFrame({ ...back, flags: 0x12, seq: 500, ack: 101, sport: 8081 }),
      tcpFrame({ ...back, flags: 0x12, seq: 500, ack: 101, src: '10.1.0.12' }),
    ];
    for (const data of others) {
      const result = await run({ ...crafted, srvIn: [{ at: 5, data }] }, leftTo('local-delivery'));
      expect(result.host.map(({ frame }) => frame)).not.toContain(1);
      expect(result.passed).toBe(false);
    }
  });

  it('opens no connection twice', async () => {
    const srvOut = [
      { at: 4, data: opening },
      { at: 6, data: opening },
    ];
    const result = await run({ ...crafted, srvOut }, leftTo('local-delivery'));
    expect(result).toMatchObject({ passed: false, host: [{ frame: 1 }] });
  });

  it('sends from an address of the host only', async () => {
    const foreign = tcpFrame({ ...ends, src: '10.0.0.9', flags: 2, seq: 100 });
    const data = tcpFrame({ ...back, dst: '10.0.0.9', flags: 0x12, ack: 101 });
    const result = await run(
      { srvIn: [{ at: 5, data }], srvOut: [{ at: 4, data: foreign }] },
      leftTo('local-delivery'),
    );
    expect(result).toMatchObject({ passed: false, host: [] });
  });

  it('does not answer over another IP version or protocol', async () => {
    const payload = udp('10.0.0.1', '10.1.0.11', 47011, 8080);
    const data = ether(CLI_MAC, C0_MAC, ipv4({ src: '10.0.0.1', dst: '10.1.0.11', protocol: 17, payload }));
    const result = await run({ ...crafted, srvOut: [{ at: 6, data }] }, leftTo('local-delivery'));
    expect(result).toMatchObject({ passed: false, host: [] });
  });
});
