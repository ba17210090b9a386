import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type ScenarioResult, verifyScenario } from '../../src/scenario/verify.js';
import { type Crafted, craft, type Script, Scripted, type Timed, temporary } from './folder.js';
import { bytes, C0_MAC, CLI_MAC, ether, hex, icmp, ip, ipv4, tcpFrame, u16, udp } from './packets.js';

const parent = temporary();
afterAll(() => rmSync(parent, { recursive: true }));

let count = 0;
function run(crafted: Crafted, script: Script): Promise<ScenarioResult> {
  return verifyScenario(craft(parent, `case-${++count}`, crafted), () => new Scripted(script));
}

/** Client packets 1, 2, …, told apart by their source port. */
const packets = Array.from({ length: 6 }, (_, i) => tcpFrame({ sport: 40001 + i, dport: 80 }));
const timed = (frames: Uint8Array[], at = 0): Timed[] => frames.map((data, i) => ({ at: at + i * 10, data }));

describe('frames of the host', () => {
  const asked = tcpFrame({ sport: 48000, dport: 80, flags: 0x10 });
  const reset = tcpFrame({
    src: '10.0.0.100',
    dst: '10.0.0.2',
    from: CLI_MAC,
    to: C0_MAC,
    sport: 80,
    dport: 48000,
    flags: 4,
  });
  const local: Script = () => [{ verdict: 'local', reason: 'not-opening', outInterface: undefined }];
  const crafted: Crafted = { cliIn: timed([asked]), cliOut: timed([reset], 1) };

  it('are listed with what they answer', async () => {
    const result = await run(crafted, local);
    expect(result).toMatchObject({ passed: true, matched: 0, expected: 0 });
    expect(result.host).toEqual([
      {
        capture: 'cli-out',
        frame: 1,
        text: '10.0.0.100:80 > 10.0.0.2:48000 TCP [R] seq=1 ttl=64 len=0',
        cause: { capture: 'cli-in', frame: 1, reason: 'not-opening' },
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

  it('are several when the server is the host itself', async () => {
    const script: Script = () => [{ verdict: 'local', reason: 'local-dest' }];
    const result = await run({ ...crafted, cliOut: timed([reset, reset], 1) }, script);
    expect(result).toMatchObject({ passed: true, host: [{ frame: 1 }, { frame: 2 }] });
  });

  it('come after their cause', async () => {
    const result = await run({ cliIn: [{ at: 5, data: asked }], cliOut: [{ at: 4, data: reset }] }, local);
    expect(result).toMatchObject({ passed: false, host: [] });
  });

  it('answer its addresses and ports', async () => {
    const wrong = [
      tcpFrame({ src: '10.0.0.100', dst: '10.0.0.3', from: CLI_MAC, to: C0_MAC, sport: 80, dport: 48000, flags: 4 }),
      tcpFrame({ src: '10.0.0.100', dst: '10.0.0.2', from: CLI_MAC, to: C0_MAC, sport: 80, dport: 48001, flags: 4 }),
      tcpFrame({ src: '10.0.0.100', dst: '10.0.0.2', from: CLI_MAC, to: C0_MAC, sport: 81, dport: 48000, flags: 4 }),
      tcpFrame({ src: '10.0.0.1', dst: '10.0.0.2', from: CLI_MAC, to: C0_MAC, sport: 80, dport: 48000, flags: 4 }),
      ether(
        CLI_MAC,
        C0_MAC,
        ipv4({ src: '10.0.0.100', dst: '10.0.0.2', protocol: 17, payload: udp('10.0.0.100', '10.0.0.2', 80, 48000) }),
      ),
    ];
    for (const frame of wrong) {
      expect(await run({ ...crafted, cliOut: timed([frame], 1) }, local)).toMatchObject({ passed: false, host: [] });
    }
  });

  const message = (src: string, dst: string, payload: Uint8Array) =>
    ether(CLI_MAC, C0_MAC, ipv4({ src, dst, protocol: 1, payload }));

  it('may be ICMP errors about the packet, from any address of ours', async () => {
    const about = (quoted: Uint8Array, src = '10.0.0.1') =>
      message(src, '10.0.0.2', icmp(3, 3, [0, 0, 0, 0], quoted.slice(14)));
    const host = (frame: Uint8Array) => run({ ...crafted, cliOut: timed([frame], 1) }, local);
    expect(await host(about(asked))).toMatchObject({ passed: true, host: [{ frame: 1 }] });
    expect(await host(about(asked, '10.0.0.9'))).toMatchObject({ passed: false });
    expect(await host(about(packets[0]!))).toMatchObject({ passed: false });
    const ports = { sport: 48000, dport: 80, flags: 0x10 };
    expect(await host(about(tcpFrame({ ...ports, dst: '10.0.0.1' })))).toMatchObject({ passed: false });
    expect(await host(about(tcpFrame({ ...ports, src: '10.0.0.3' })))).toMatchObject({ passed: false });
    const datagram = udp('10.0.0.2', '10.0.0.100', 48000, 80);
    const other = ether(C0_MAC, CLI_MAC, ipv4({ src: '10.0.0.2', dst: '10.0.0.100', protocol: 17, payload: datagram }));
    expect(await host(about(other))).toMatchObject({ passed: false });
  });

  it('may be echo replies and ARP', async () => {
    const echo = ether(
      C0_MAC,
      CLI_MAC,
      ipv4({ src: '10.0.0.2', dst: '10.0.0.100', protocol: 1, payload: icmp(8, 0, [0, 1, 0, 1], [7]) }),
    );
    const reply = message('10.0.0.100', '10.0.0.2', icmp(0, 0, [0, 1, 0, 1], [7]));
    const arp = (op: number, from: string, to: string) =>
      bytes(u16(1), u16(0x800), 6, 4, u16(op), hex(C0_MAC), ip(from), hex(C0_MAC), ip(to));
    const request = ether(C0_MAC, CLI_MAC, arp(1, '10.0.0.2', '10.0.0.100'), 0x0806);
    const answer = ether(CLI_MAC, C0_MAC, arp(2, '10.0.0.100', '10.0.0.2'), 0x0806);
    const result = await run({ cliIn: timed([echo, request]), cliOut: timed([reply, answer], 1) }, local);
    expect(result.host.map(({ frame, cause }) => [frame, cause.frame])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(result.passed).toBe(true);
  });

  it('may answer a packet that came in a tunnel', async () => {
    const outer = ether(
      C0_MAC,
      CLI_MAC,
      ipv4({ src: '10.1.0.9', dst: '10.0.0.1', protocol: 4, payload: asked.slice(14) }),
    );
    const script: Script = (frame) => [{ verdict: 'local', reason: 'decapsulated', frame: frame.slice(34) }];
    expect(await run({ ...crafted, cliIn: timed([outer]) }, script)).toMatchObject({
      passed: true,
      host: [{ frame: 1 }],
    });
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
