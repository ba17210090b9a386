/** The SCTP state machine: every direction, chunk and state against the kernel's tables, and lives from the captures. */
import { describe, expect, it } from 'vitest';
import { ConnState } from '../../src/abi/protocol.js';
import { innerCore } from '../support/core.js';
import { join } from '../support/packets.js';

const { call, bytes } = innerCore();
const AT = 0x2000;

const COLUMNS = 'NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL'.split(' ');
const DIRECTIONS = ['client to server', 'server to client', 'client to server alone'];
const CHUNKS = { d: 0, i: 1, ia: 2, ce: 10, ca: 11, s: 7, sa: 8, sc: 14, er: 9, ab: 6 } as const;
type Chunk = keyof typeof CHUNKS;

/** Next states in the order of COLUMNS, for each direction. */
const TABLES: Record<Chunk, string>[] = [
  {
    d: 'ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    i: 'I1 IN IN CS CR CW CO CE ES SS SR SA IN IN',
    ia: 'CW CW CW CS CR CO CO CE ES SS SR SA RJ CL',
    ce: 'CR IN IN CR CR CW CO CE ES SS SR SA RJ CL',
    ca: 'ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL',
    s: 'SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL',
    sa: 'CL IN IN CS CR CW CO CE ES CL SR CL RJ CL',
    sc: 'CL CL CL CS CR CW CO CE ES SS SR CL RJ CL',
    er: 'CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL',
    ab: 'CL CL CL CL CL RJ CL CL CL CL CL CL CL CL',
  },
  {
    d: 'ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    i: 'CW CW CW CW CW CW CW CW ES CW CW CW CW CW',
    ia: 'CS CS CS CS CR CW CO CE ES SS SR SA RJ CL',
    ce: 'CE CE CE CE CE CE CE CE ES SS SR SA RJ CL',
    ca: 'ES ES ES ES ES ES ES ES ES SS SR SA RJ CL',
    s: 'SS SS SS SS SS SS SS SS SS SS SR SA RJ CL',
    sa: 'SA SA SA SA SA CW CO CE ES SA SA SA RJ CL',
    sc: 'CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    er: 'CL CL CL CL CL CW CO CE ES SS SR SA RJ CL',
    ab: 'CL RJ CL CL CL CL CL CL CL CL CL CL CL CL',
  },
  {
    d: 'ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL',
    i: 'I1 IN IN IN IN IN CO CE ES SS SR SA IN IN',
    ia: 'CE CE CE CE CE CE CO CE ES SS SR SA RJ CL',
    ce: 'ES ES ES ES ES ES CO CE ES SS SR SA RJ CL',
    ca: 'ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL',
    s: 'SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL',
    sa: 'CL IN IN CS CR CW CO CE CL CL SR CL RJ CL',
    sc: 'CL CL CL CL CL CW CO CE ES SS CL CL RJ CL',
    er: 'CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    ab: 'CL CL CL CL CL RJ CL CL CL CL CL CL CL CL',
  },
];

const chunk = (type: number, length = 4, ...value: number[]): Uint8Array =>
  Uint8Array.of(type, 0, length >> 8, length & 255, ...value);

/** The state after a packet with these chunks, by its short name. */
function following(direction: number, state: string, ...chunks: readonly Uint8Array[]): string | undefined {
  const packet = join(new Uint8Array(12), ...chunks);
  // What lies behind a packet is nothing of it.
  bytes.fill(CHUNKS.ab, AT, AT + 200);
  bytes.set(packet, AT);
  const next = call.sctpState(direction, AT, packet.length, ConnState.SctpNone + COLUMNS.indexOf(state));
  return COLUMNS[next - ConnState.SctpNone];
}

describe.each(DIRECTIONS.map((name, direction) => [name, direction] as const))('%s', (_, direction) => {
  it.each(Object.entries(CHUNKS))('%s', (event, type) => {
    const row = TABLES[direction]?.[event as Chunk].split(' ');
    expect(COLUMNS.map((state) => following(direction, state, chunk(type)))).toEqual(row);
  });

  it('all other chunks count as data', () => {
    const known: number[] = Object.values(CHUNKS);
    const row = TABLES[direction]?.d.split(' ');
    for (let type = 0; type < 256; type++) {
      if (type !== 0 && known.includes(type)) continue;
      expect(
        COLUMNS.map((state) => following(direction, state, chunk(type))),
        `type ${type}`,
      ).toEqual(row);
    }
  });

  it('a packet without a chunk changes nothing', () => {
    for (const rest of [new Uint8Array(0), new Uint8Array(3)]) {
      expect(COLUMNS.map((state) => following(direction, state, rest))).toEqual(COLUMNS);
    }
  });
});

describe('chunks in one packet', () => {
  it.each([
    ['ABORT behind COOKIE-ECHO', [chunk(CHUNKS.ce), chunk(CHUNKS.ab)], 'CL'],
    ['ABORT behind COOKIE-ACK', [chunk(CHUNKS.ca), chunk(CHUNKS.ab)], 'CL'],
    ['ABORT behind a COOKIE-ECHO with padding', [chunk(CHUNKS.ce, 5, 1, 0, 0, 0), chunk(CHUNKS.ab)], 'CL'],
    ['ABORT in the value of a COOKIE-ECHO', [chunk(CHUNKS.ce, 8, CHUNKS.ab, 0, 0, 4)], 'CR'],
    ['ABORT behind a COOKIE-ECHO and data', [chunk(CHUNKS.ce), chunk(CHUNKS.d), chunk(CHUNKS.ab)], 'CR'],
    ['ABORT behind data', [chunk(CHUNKS.d), chunk(CHUNKS.ab)], 'CS'],
    ['a COOKIE-ECHO whose length cannot be', [chunk(CHUNKS.ce, 3), chunk(CHUNKS.ab)], 'CR'],
    ['a COOKIE-ECHO that is said to end behind the packet', [chunk(CHUNKS.ce, 40)], 'CR'],
    ['only a part of what would be ABORT', [chunk(CHUNKS.ce), chunk(CHUNKS.ab).subarray(0, 3)], 'CR'],
  ])('%s', (_, chunks, expected) => {
    expect(following(0, 'CS', ...chunks)).toBe(expected);
  });
});

/** Kernel captures sctp-nat and sctp-dr: the state after each packet. `up` is client to server. */
describe('lives', () => {
  const IN = 0;
  const OUT = 1;
  const ALONE = 2;
  it.each<[string, [direction: number, chunk: number, state: string][]]>([
    [
      'by NAT',
      [
        [IN, CHUNKS.i, 'I1'],
        [OUT, CHUNKS.ia, 'CS'],
        [IN, CHUNKS.ce, 'CR'],
        [OUT, CHUNKS.ca, 'ES'],
        [IN, CHUNKS.d, 'ES'],
        [OUT, 3, 'ES'],
        [IN, 4, 'ES'],
        [OUT, 5, 'ES'],
        [IN, CHUNKS.s, 'SR'],
        [OUT, CHUNKS.sa, 'SA'],
        [IN, CHUNKS.sc, 'CL'],
      ],
    ],
    [
      'by NAT, aborted',
      [
        [IN, CHUNKS.i, 'I1'],
        [IN, CHUNKS.ab, 'CL'],
      ],
    ],
    [
      'by DR, of which half is seen',
      [
        [ALONE, CHUNKS.i, 'I1'],
        [ALONE, CHUNKS.ce, 'ES'],
        [ALONE, CHUNKS.d, 'ES'],
        [ALONE, 4, 'ES'],
        [ALONE, CHUNKS.s, 'SR'],
        [ALONE, CHUNKS.sc, 'CL'],
      ],
    ],
  ])('%s', (_, life) => {
    let state = 'NO';
    for (const [direction, type, expected] of life) {
      state = following(direction, state, chunk(type)) ?? '';
      expect(state).toBe(expected);
    }
  });
});

it('only an established association is active', () => {
  const active = COLUMNS.filter((_, i) => call.sctpIsActive(ConnState.SctpNone + i) !== 0);
  expect(active).toEqual(['ES']);
});

it('the states are numbered as in the kernel', () => {
  expect(ConnState.SctpClosed - ConnState.SctpNone).toBe(COLUMNS.length - 1);
  expect(ConnState.SctpEstablished - ConnState.SctpNone).toBe(COLUMNS.indexOf('ES'));
  expect(ConnState.SctpRejected - ConnState.SctpNone).toBe(COLUMNS.indexOf('RJ'));
});
