/** SCTP, and AH and ESP, which follow a key exchange. */
import { describe, expect, it } from 'vitest';
import {
  isActiveState,
  nextSctpState,
  parseSctp,
  SCTP_STATES,
  sctpEvent,
  sctpTimeout,
  serialiseSctp,
} from '../../src/reference/index.js';
import { judged } from './builders.js';
import { chunk, ENDS, frame, packet, packetOf, plainDirector, sctp, udp } from './builders6.js';
import { toHex } from './support.js';

const INIT = 1;
const INIT_ACK = 2;
const ABORT = 6;
const COOKIE_ECHO = 10;
const COOKIE_ACK = 11;

function director(family: 4 | 6, dest: { method: 'nat' | 'dr'; port?: number }, sysctl = {}) {
  const { vip, server } = ENDS[family];
  const made = plainDirector({ sysctl });
  const key = { protocol: 'sctp', address: vip, port: 3868 } as const;
  made.addService({ ...key, scheduler: 'rr' });
  made.addDest(key, { address: server, ...dest });
  return made;
}

describe.each([4, 6] as const)('SCTP over IPv%i', (family) => {
  const { client, vip, server } = ENDS[family];
  const up = (chunks: Uint8Array) => sctp([client, 1], [vip, 3868], chunks);

  it('gets a right checksum where the port changes, and keeps any where it does not', () => {
    const sent = up(chunk(INIT));
    const wrong = { ...sent, payload: serialiseSctp(parseSctp(sent.payload), 0xdeadbeef) };
    const [mapped] = director(family, { method: 'nat', port: 3869 }).send(frame(wrong), 'cli', 0);
    expect(toHex(packetOf(mapped!.frame).payload)).toBe(toHex(sctp([client, 1], [vip, 3869], chunk(INIT)).payload));
    const [same] = director(family, { method: 'nat' }).send(frame(wrong), 'cli', 0);
    expect(toHex(packetOf(same!.frame).payload)).toBe(toHex(wrong.payload));
    const [begun] = director(family, { method: 'nat' }).send(frame(wrong), 'cli', 0, { partialChecksum: true });
    expect(begun).toMatchObject({ reason: 'nat-in', partialChecksum: false });
    expect(toHex(packetOf(begun!.frame).payload)).toBe(toHex(sent.payload));
  });

  it('follows the association both ways', () => {
    const made = director(family, { method: 'nat', port: 3869 });
    const state = () => made.connections(0)[0]?.state;
    const down = (type: number) => frame(sctp([server, 3869], [client, 1], chunk(type)), 'srv');
    made.send(frame(up(chunk(INIT))), 'cli', 0);
    expect(state()).toBe('INIT1');
    expect(judged(made.send(down(INIT_ACK), 'srv', 0))).toEqual(['forward nat-out']);
    expect(state()).toBe('C-SENT');
    made.send(frame(up(chunk(COOKIE_ECHO))), 'cli', 0);
    expect(state()).toBe('C-REPLIED');
    made.send(down(COOKIE_ACK), 'srv', 0);
    expect(state()).toBe('ESTABLISHED');
    expect(made.services()[0]!.dests).toMatchObject([{ activeConnections: 1, inactiveConnections: 0 }]);
    expect(made.connections(0)[0]).toMatchObject({ expires: 900 });
    made.send(frame(up(Uint8Array.from([...chunk(COOKIE_ECHO), ...chunk(ABORT)]))), 'cli', 0);
    expect(state()).toBe('CLOSED');
    expect(made.connections(0)[0]).toMatchObject({ expires: 61 });
  });

  it('sees one direction by DR', () => {
    const made = director(family, { method: 'dr' });
    made.send(frame(up(chunk(INIT))), 'cli', 0);
    made.send(frame(up(chunk(COOKIE_ECHO))), 'cli', 0);
    expect(made.connections(0)[0]).toMatchObject({ state: 'ESTABLISHED' });
  });

  it.each([
    ['forward nat-in', chunk(INIT), 0],
    ['local not-opening', chunk(0), 0],
    ['forward nat-in', chunk(0), 1],
    ['local not-opening', chunk(ABORT), 1],
    ['drop transport-truncated', new Uint8Array(3), 1],
  ])('first on a connection: %s (%#)', (expected, chunks, sloppy_sctp) => {
    const made = director(family, { method: 'nat' }, { sloppy_sctp });
    expect(judged(made.send(frame(up(chunks)), 'cli', 0))).toEqual([expected]);
  });

  it('cut short changes nothing, but the timer of a known connection', () => {
    const made = director(family, { method: 'nat' });
    made.send(frame(up(chunk(INIT))), 'cli', 0);
    expect(judged(made.send(frame(up(new Uint8Array(0))), 'cli', 1000))).toEqual(['forward nat-in']);
    expect(made.connections(1000)).toMatchObject([{ state: 'INIT1', expires: 4 }]);
    const short = packet(client, vip, 132, up(chunk(INIT)).payload.slice(0, 11));
    expect(judged(made.send(frame(short), 'cli', 1000))).toEqual(['drop transport-truncated']);
    const shorter = packet(client, vip, 132, new Uint8Array(3));
    expect(judged(made.send(frame(shorter), 'cli', 1000))).toEqual(['drop transport-truncated']);
  });

  it('a server without a connection is told so, unless it aborts (nat_icmp_send)', () => {
    const made = director(family, { method: 'nat', port: 3869 }, { nat_icmp_send: 1 });
    const down = (type: number) =>
      judged(made.send(frame(sctp([server, 3869], [client, 9], chunk(type)), 'srv'), 'srv', 0));
    expect(down(0)).toEqual(['drop no-connection', 'forward port-unreachable']);
    expect(down(ABORT)).toEqual(['forward routed']);
  });
});

describe('the state of an association', () => {
  it('knows chunks by their first, but that an abort beside a cookie counts', () => {
    expect([0, 3, 4, 5, 12, 13, 200].map((type) => sctpEvent(type, ABORT))).toEqual(new Array(7).fill('data'));
    expect(sctpEvent(COOKIE_ECHO, ABORT)).toBe('abort');
    expect(sctpEvent(COOKIE_ACK, ABORT)).toBe('abort');
    expect(sctpEvent(COOKIE_ECHO, 0)).toBe('cookie-echo');
    expect(sctpEvent(INIT, ABORT)).toBe('init');
  });

  it('is always one of the table', () => {
    const events = ['data', 'init', 'init-ack', 'cookie-echo', 'cookie-ack', 'shutdown', 'shutdown-ack'] as const;
    const ends = ['shutdown-complete', 'error', 'abort'] as const;
    for (const direction of ['input', 'output', 'input-only'] as const) {
      for (const state of SCTP_STATES) {
        for (const event of [...events, ...ends]) expect(SCTP_STATES).toContain(nextSctpState(state, direction, event));
        const aborted = nextSctpState(state, direction, 'abort');
        expect(['CLOSED', 'REJECTED']).toContain(aborted);
      }
    }
  });

  it('has its time', () => {
    const times = SCTP_STATES.map((state) => sctpTimeout(state));
    expect(times).toEqual([2, 4, 61, 61, 61, 61, 61, 61, 900, 61, 61, 61, 4, 61]);
    expect(SCTP_STATES.filter(isActiveState)).toEqual(['ESTABLISHED']);
  });
});

describe.each([4, 6] as const)('AH and ESP over IPv%i', (family) => {
  const { client, vip, server } = ENDS[family];
  const esp = (from: string, to: string) => packet(from, to, 50, new Uint8Array(16).fill(7));

  function exchange(method: 'nat' | 'dr') {
    const made = plainDirector();
    const key = { protocol: 'udp', address: vip, port: 500 } as const;
    made.addService({ ...key, scheduler: 'rr' });
    made.addDest(key, { address: server, method });
    return made;
  }

  it('follow the key exchange of their client', () => {
    const made = exchange('nat');
    expect(judged(made.send(frame(esp(client, vip)), 'cli', 0))).toEqual(['local local-delivery']);
    made.send(frame(udp([client, 500], [vip, 500])), 'cli', 0);
    const [there] = made.send(frame(esp(client, vip)), 'cli', 1000);
    expect(judged([there!])).toEqual(['forward nat-in']);
    const [back] = made.send(frame(esp(server, client), 'srv'), 'srv', 2000);
    expect(judged([back!])).toEqual(['forward nat-out']);
    expect([there!, back!].map((each) => toHex(packetOf(each.frame).payload))).toEqual(
      new Array(2).fill('07'.repeat(16)),
    );
    expect(made.connections(2000)).toMatchObject([{ protocol: 'udp', state: 'UDP', expires: 300, inPackets: 2 }]);
    expect(judged(made.send(frame(esp('10.0.0.3', ENDS[4].vip)), 'cli', 0))).toEqual(['local local-delivery']);
  });

  it('go unchanged by DR', () => {
    const made = exchange('dr');
    made.send(frame(udp([client, 500], [vip, 500])), 'cli', 0);
    expect(judged(made.send(frame(esp(client, vip)), 'cli', 0))).toEqual(['forward direct-route']);
  });

  it('AH is a protocol of IPv4, and a header of IPv6', () => {
    const made = exchange('nat');
    made.send(frame(udp([client, 500], [vip, 500])), 'cli', 0);
    const datagram = udp([client, 7], [vip, 500]).payload;
    const header = Uint8Array.of(17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, ...new Uint8Array(12));
    const [outcome] = made.send(frame(packet(client, vip, 51, Uint8Array.from([...header, ...datagram]))), 'cli', 0);
    expect(judged([outcome!])).toEqual(['forward nat-in']);
    expect(made.connections(0)).toHaveLength(family === 4 ? 1 : 2);
  });
});
