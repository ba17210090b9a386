import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type ScenarioResult, verifyScenario } from '../../src/scenario/verify.js';
import { type Crafted, craft, type Script, Scripted, type Timed, temporary } from './folder.js';
import {
  bytes,
  C0_MAC,
  CLI_MAC,
  ether,
  hex,
  type Ipv4,
  icmp,
  ip,
  ipv4,
  type Tcp,
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

/** Client packets 1, 2, …, told apart by their source port. */
const packets = Array.from({ length: 6 }, (_, i) => tcpFrame({ sport: 40001 + i, dport: 80 }));
const timed = (frames: Uint8Array[], at = 0): Timed[] => frames.map((data, i) => ({ at: at + i * 10, data }));

type Message = Pick<Ipv4, 'payload'> & Partial<Ipv4>;
/** From the client to the VIP, and back. */
const toHost = (packet: Message) =>
  ether(C0_MAC, CLI_MAC, ipv4({ src: '10.0.0.2', dst: '10.0.0.100', protocol: 1, ...packet }));
const fromHost = (packet: Message) =>
  ether(CLI_MAC, C0_MAC, ipv4({ src: '10.0.0.100', dst: '10.0.0.2', protocol: 1, ...packet }));
const segment = (rest: Partial<Tcp> & { src?: string; dst?: string } = {}) =>
  tcpFrame({ src: '10.0.0.100', dst: '10.0.0.2', from: CLI_MAC, to: C0_MAC, sport: 80, dport: 48000, seq: 0, ...rest });

const SYN = 2;
const RST = 4;
const ACK = 16;

const leftTo =
  (reason: string): Script =>
  () => [{ verdict: 'local', reason, outInterface: undefined }];

/** Whether `answer`, `after` ms behind `asked`, counts as the host's when `asked` was left to it. */
async function isHost(asked: Uint8Array, answer: Uint8Array, after = 1, reason = 'local-delivery'): Promise<boolean> {
  const crafted = { cliIn: timed([asked]), cliOut: timed([answer], after) };
  const { host, passed } = await run(crafted, leftTo(reason));
  expect(passed).toBe(host.length === 1);
  return passed;
}

describe('frames of the host', () => {
  const asked = tcpFrame({ sport: 48000, dport: 80, flags: ACK });
  const reset = segment({ flags: RST });
  const local = leftTo('not-opening');
  const crafted: Crafted = { cliIn: timed([asked]), cliOut: timed([reset], 1) };

  it('are listed with what they answer', async () => {
    const result = await run(crafted, local);
    expect(result).toMatchObject({ passed: true, matched: 0, expected: 0 });
    expect(result.host).toEqual([
      {
        capture: 'cli-out',
        frame: 1,
        text: '10.0.0.100:80 > 10.0.0.2:48000 TCP [R] seq=0 ttl=64 len=0',
        cause: { capture: 'cli-in', frame: 1, reason: 'not-opening', relation: 'answers' },
      },
    ]);
  });

  it('need the verdict local', async () => {
    for (const verdict of ['drop', 'pass'] as const) {
      const result = await run(crafted, () => [{ verdict, reason: 'no-dest' }]);
      expect(result).toMatchObject({ passed: false, host: [], expected: 1 });
      expect(result.differences[0]?.kind).toBe('missing');
    }
  });

  it('are at most as many as were caused', async () => {
    const result = await run({ ...crafted, cliOut: timed([reset, reset], 1) }, local);
    expect(result).toMatchObject({ passed: false, host: [{ frame: 1 }], differences: [{ kind: 'missing', frame: 2 }] });
  });

  it('come after their cause, within a second', async () => {
    const result = await run({ cliIn: [{ at: 5, data: asked }], cliOut: [{ at: 4, data: reset }] }, local);
    expect(result).toMatchObject({ passed: false, host: [] });
    expect(await isHost(asked, reset, 1000)).toBe(true);
    expect(await isHost(asked, reset, 1000.001)).toBe(false);
  });

  it('come from an address of the host, and go back', async () => {
    expect(await isHost(asked, segment({ flags: RST, src: '10.0.0.1' }))).toBe(false);
    expect(await isHost(asked, segment({ flags: RST, dst: '10.0.0.3' }))).toBe(false);
    const foreign = tcpFrame({ sport: 48000, dport: 80, flags: ACK, dst: '10.0.0.9' });
    expect(await isHost(foreign, segment({ flags: RST, src: '10.0.0.9' }))).toBe(false);
  });

  it('may answer a packet that came in a tunnel', async () => {
    const outer = toHost({ src: '10.1.0.9', dst: '10.0.0.1', protocol: 4, payload: asked.slice(14) });
    for (const reason of ['decapsulated', 'not-opening']) {
      const script: Script = (frame) => [{ verdict: 'local', reason, frame: frame.slice(34) }];
      expect(await run({ ...crafted, cliIn: timed([outer]) }, script)).toMatchObject({
        passed: true,
        host: [{ frame: 1 }],
      });
    }
  });

  it('do not shift the frames of ours around them', async () => {
    const script: Script = (_, i) =>
      i === 1 ? [{ verdict: 'local', reason: 'not-opening' }] : [{ outInterface: 'cli' }];
    const result = await run(
      { cliIn: timed([packets[0]!, asked, packets[1]!]), cliOut: timed([packets[0]!, reset, packets[1]!], 1) },
      script,
    );
    expect(result).toMatchObject({ passed: true, matched: 2, expected: 2, host: [{ frame: 2 }] });
  });
});

/** An ICMP error from the VIP about a frame; `length`: bytes of it that are quoted. */
const about = (quoted: Uint8Array, type: number, code: number, length?: number) =>
  fromHost({
    payload: icmp(type, code, [0, 0, 0, 0], quoted.slice(14, length === undefined ? undefined : 14 + length)),
  });

/** All ICMP errors that IPVS makes, and some more. */
const ERRORS = [
  [3, 0],
  [3, 1],
  [3, 2],
  [3, 3],
  [3, 4],
  [3, 13],
  [11, 0],
  [11, 2],
  [11, 3],
  [12, 0],
] as const;

/** The errors about a frame that count as the host's. */
async function errorsAbout(frame: Uint8Array): Promise<string[]> {
  const found: string[] = [];
  for (const [type, code] of ERRORS) if (await isHost(frame, about(frame, type, code))) found.push(`${type}/${code}`);
  return found;
}

describe('the host answers a TCP segment', () => {
  const ports = { sport: 48000, dport: 80 };
  const late = tcpFrame({ ...ports, flags: ACK, ack: 7 });
  const opening = tcpFrame({ ...ports, flags: SYN, seq: 0xffffffff, data: [1, 2, 3] });

  it('with a RST of the number that was asked for', async () => {
    expect(await isHost(late, segment({ flags: RST, seq: 7 }))).toBe(true);
    expect(await isHost(late, segment({ flags: RST, seq: 8 }))).toBe(false);
    expect(await isHost(late, segment({ flags: RST | ACK, seq: 7 }))).toBe(false);
    expect(await isHost(opening, segment({ flags: RST | ACK, ack: 3 }))).toBe(true);
    expect(await isHost(opening, segment({ flags: RST | ACK, ack: 4 }))).toBe(false);
    expect(await isHost(opening, segment({ flags: RST, ack: 3 }))).toBe(false);
    const closing = tcpFrame({ ...ports, flags: 1, seq: 5, options: [1, 1, 1, 1] });
    expect(await isHost(closing, segment({ flags: RST | ACK, ack: 6 }))).toBe(true);
  });

  it('with nothing else', async () => {
    for (const flags of [ACK, SYN | ACK, 1 | ACK]) {
      expect(await isHost(late, segment({ flags, seq: 7 })), `${flags}`).toBe(false);
      expect(await isHost(opening, segment({ flags, ack: 3 })), `${flags}`).toBe(false);
    }
    expect(await errorsAbout(late)).toEqual([]);
    expect(await errorsAbout(opening)).toEqual([]);
    const datagram = udp('10.0.0.100', '10.0.0.2', 80, 48000);
    expect(await isHost(late, fromHost({ protocol: 17, payload: datagram }))).toBe(false);
  });

  it('from and to its ports', async () => {
    expect(await isHost(late, segment({ flags: RST, seq: 7, sport: 81 }))).toBe(false);
    expect(await isHost(late, segment({ flags: RST, seq: 7, dport: 48001 }))).toBe(false);
  });

  it('but never a RST', async () => {
    const given = tcpFrame({ ...ports, flags: RST | ACK, ack: 7 });
    expect(await isHost(given, segment({ flags: RST, seq: 7 }))).toBe(false);
  });
});

describe('the host answers a UDP datagram', () => {
  const datagram = (port: number, rest: Partial<Ipv4> = {}) =>
    toHost({ protocol: 17, payload: udp('10.0.0.2', '10.0.0.100', port, 99, Array(40).fill(port & 255)), ...rest });
  const asked = datagram(48000);

  it('with port unreachable', async () => {
    expect(await errorsAbout(asked)).toEqual(['3/3']);
    const reply = fromHost({ protocol: 17, payload: udp('10.0.0.100', '10.0.0.2', 99, 48000) });
    expect(await isHost(asked, reply)).toBe(false);
  });

  it('quoting it', async () => {
    expect(await isHost(asked, about(asked, 3, 3, 28))).toBe(true);
    expect(await isHost(asked, about(asked, 3, 3, 27))).toBe(false);
    for (const other of [datagram(48001), datagram(48000, { id: 2 }), datagram(48000, { ttl: 63 })]) {
      expect(await isHost(asked, about(other, 3, 3))).toBe(false);
    }
    const longer = bytes(asked, 0);
    expect(await isHost(asked, about(longer, 3, 3))).toBe(false);
    // Padding of the link is no part of the packet.
    expect(await isHost(longer, about(asked, 3, 3))).toBe(true);
  });

  it('quoting it as it was after its options were handled', async () => {
    const route = (slot: string, pointer: number) => datagram(48000, { options: [7, 7, pointer, ...ip(slot), 0] });
    const [before, after] = [route('0.0.0.0', 4), route('10.0.0.100', 8)];
    // Its checksum is as it was, or right: that is of a datagram which came in fragments.
    expect(await isHost(before, about(after, 3, 3))).toBe(true);
    after[25]! ^= 1;
    expect(await isHost(before, about(after, 3, 3))).toBe(false);
    after.set(before.subarray(24, 26), 24);
    expect(await isHost(before, about(after, 3, 3))).toBe(true);
    after[42]! ^= 1;
    expect(await isHost(before, about(after, 3, 3))).toBe(false);
  });

  it('quoting less where options of its own leave no more room', async () => {
    const options = [7, 11, 12, ...ip('10.0.0.100'), ...ip('10.0.0.100'), 0];
    const route = datagram(48000, { options });
    const answer = (length: number) =>
      fromHost({ options, payload: icmp(3, 3, [0, 0, 0, 0], route.slice(14, 14 + length)) });
    expect(await isHost(route, answer(28))).toBe(true);
    expect(await isHost(route, answer(27))).toBe(false);
    expect(await isHost(route, about(route, 3, 3, 39))).toBe(false);
    expect(await isHost(route, about(route, 3, 3, 40))).toBe(true);
  });

  it('but no fragment', async () => {
    const first = datagram(48000, { fragment: 0x2000 });
    expect(await isHost(first, about(first, 3, 3))).toBe(false);
  });
});

describe('the host answers another protocol', () => {
  const of = (protocol: number) => toHost({ protocol, payload: bytes([1, 2, 3, 4, 5, 6, 7, 8]) });

  it('with protocol unreachable', async () => {
    expect(await errorsAbout(of(253))).toEqual(['3/2']);
  });

  it('that carries tunnels with port unreachable, too', async () => {
    for (const protocol of [4, 41, 47]) expect(await errorsAbout(of(protocol)), `${protocol}`).toEqual(['3/2', '3/3']);
  });

  it('SCTP with an ABORT', async () => {
    const chunk = (type: number, sport: number, dport: number) =>
      bytes(u16(sport), u16(dport), hex('00000001 00000000'), type, 0, u16(4));
    const init = toHost({ protocol: 132, payload: chunk(1, 48000, 80) });
    const answer = (type: number, sport = 80, dport = 48000) =>
      fromHost({ protocol: 132, payload: chunk(type, sport, dport) });
    expect(await isHost(init, answer(6))).toBe(true);
    expect(await isHost(init, answer(2))).toBe(false);
    expect(await isHost(init, answer(6, 81))).toBe(false);
    expect(await isHost(init, answer(6, 80, 48001))).toBe(false);
    expect(await errorsAbout(init)).toEqual([]);
    // SHUTDOWN ACK is answered with SHUTDOWN COMPLETE (RFC 9260 §8.4).
    const shutdownAck = toHost({ protocol: 132, payload: chunk(8, 48000, 80) });
    expect(await isHost(shutdownAck, answer(14))).toBe(true);
    expect(await isHost(shutdownAck, answer(6))).toBe(false);
    expect(await isHost(init, answer(14))).toBe(false);
  });
});

describe('the host answers an ICMP request', () => {
  const message = (type: number, code = 0, rest = [0, 1, 0, 2]) => ({
    payload: icmp(type, code, rest, Array(12).fill(7)),
  });

  it.each([
    ['echo', 8, 0],
    ['timestamp', 13, 14],
  ])('%s with its reply', async (_, request, reply) => {
    const asked = toHost(message(request));
    expect(await isHost(asked, fromHost(message(reply)))).toBe(true);
    for (const type of [0, 8, 13, 14, 16]) {
      expect(await isHost(asked, fromHost(message(type))), `${type}`).toBe(type === reply);
    }
    expect(await isHost(asked, fromHost(message(reply, 1)))).toBe(false);
    expect(await isHost(asked, fromHost(message(reply, 0, [0, 3, 0, 2])))).toBe(false);
    expect(await isHost(asked, fromHost(message(reply, 0, [0, 1, 0, 3])))).toBe(false);
    expect(await errorsAbout(asked)).toEqual([]);
  });

  it('with a reply in fragments, where it is too long for one packet', async () => {
    const data = Array.from({ length: 24 }, (_, i) => i);
    const asked = toHost({ payload: icmp(8, 0, [0, 1, 0, 2], data) });
    const whole = icmp(0, 0, [0, 1, 0, 2], data);
    const first = fromHost({ id: 77, fragment: 0x2000, payload: whole.slice(0, 16) });
    const second = fromHost({ id: 77, fragment: 2, payload: whole.slice(16) });
    const result = await run(
      {
        cliIn: timed([asked]),
        cliOut: timed([first, second, fromHost({ id: 78, fragment: 2, payload: whole.slice(16) })]),
      },
      leftTo('local-delivery'),
    );
    expect(result.host.map(({ frame, cause }) => [frame, cause?.frame])).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(result.differences).toMatchObject([{ kind: 'missing', frame: 3 }]);
    for (const [type, id] of [
      [0, 3],
      [3, 2],
    ]) {
      const other = icmp(type!, 0, [0, 1, 0, id!], data).slice(0, 16);
      expect(await isHost(asked, fromHost({ id: 77, fragment: 0x2000, payload: other }))).toBe(false);
    }
    expect(await isHost(asked, second)).toBe(false);
  });

  it('each with its own reply', async () => {
    const result = await run(
      {
        cliIn: timed([toHost(message(8)), toHost(message(13)), toHost(message(8, 0, [0, 1, 0, 3]))]),
        cliOut: timed([fromHost(message(0, 0, [0, 1, 0, 3])), fromHost(message(14)), fromHost(message(0))], 30),
      },
      leftTo('local-delivery'),
    );
    expect(result.host.map(({ cause }) => cause?.frame)).toEqual([3, 2, 1]);
  });
});

describe('the host answers ARP', () => {
  const arp = (operation: number, from: string, to: string) =>
    ether(
      C0_MAC,
      CLI_MAC,
      bytes(u16(1), u16(0x800), 6, 4, u16(operation), hex(C0_MAC), ip(from), hex(C0_MAC), ip(to)),
      0x0806,
    );
  const request = arp(1, '10.0.0.2', '10.0.0.100');

  it('with the reply', async () => {
    expect(await isHost(request, arp(2, '10.0.0.100', '10.0.0.2'))).toBe(true);
    expect(await isHost(request, arp(1, '10.0.0.100', '10.0.0.2'))).toBe(false);
    expect(await isHost(request, arp(2, '10.0.0.1', '10.0.0.2'))).toBe(false);
    expect(await isHost(request, arp(2, '10.0.0.100', '10.0.0.3'))).toBe(false);
    expect(await isHost(arp(2, '10.0.0.2', '10.0.0.100'), arp(2, '10.0.0.100', '10.0.0.2'))).toBe(false);
    expect(await isHost(arp(1, '10.0.0.2', '10.0.0.9'), arp(2, '10.0.0.9', '10.0.0.2'))).toBe(false);
  });
});

describe('a real server on the director itself', () => {
  const opening = tcpFrame({ sport: 48000, dport: 80 });
  const first = segment({ flags: SYN | ACK, seq: 100, ack: 2 });
  const more = segment({ flags: 8 | ACK, seq: 101, ack: 2, data: [1] });

  it('sends what it likes when it likes', async () => {
    const crafted = { cliIn: timed([opening]), cliOut: timed([first, more], 5000) };
    const result = await run(crafted, leftTo('local-dest'));
    expect(result).toMatchObject({ passed: true, host: [{ frame: 1 }, { frame: 2 }] });
    expect(await isHost(opening, segment({ flags: RST | ACK, ack: 2 }), 1, 'local-dest')).toBe(true);
  });

  it('from its port to that of the client', async () => {
    expect(await isHost(opening, segment({ flags: SYN | ACK, sport: 81 }), 1, 'local-dest')).toBe(false);
    expect(await isHost(opening, segment({ flags: SYN | ACK, dport: 48001 }), 1, 'local-dest')).toBe(false);
    expect(await isHost(opening, segment({ flags: SYN | ACK, src: '10.0.0.1' }), 1, 'local-dest')).toBe(false);
    const datagram = udp('10.0.0.100', '10.0.0.2', 80, 48000);
    expect(await isHost(opening, fromHost({ protocol: 17, payload: datagram }), 1, 'local-dest')).toBe(false);
    expect(await isHost(opening, about(opening, 3, 3), 1, 'local-dest')).toBe(false);
    expect(await isHost(opening, about(opening, 11, 0), 1, 'local-dest')).toBe(false);
  });

  it('refuses datagrams without a socket, their checksum quoted as NAT has it for the server', async () => {
    const datagram = (data: number) =>
      toHost({ protocol: 17, payload: udp('10.0.0.2', '10.0.0.100', 48000, 99, Array(40).fill(data)) });
    const asked = datagram(7);
    const translated = asked.slice();
    translated[14 + 26]! ^= 0xff;
    for (const quoted of [asked, translated]) {
      expect(await isHost(asked, about(quoted, 3, 3), 1, 'local-dest')).toBe(true);
      expect(await isHost(asked, about(quoted, 3, 1), 1, 'local-dest')).toBe(false);
    }
    expect(await isHost(asked, about(datagram(8), 3, 3), 1, 'local-dest')).toBe(false);
    expect(await isHost(asked, about(translated, 3, 3))).toBe(false);
  });
});
