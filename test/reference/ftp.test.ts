/** The FTP helper: what it hears, the connections that it opens, and the sequence numbers that it moves. */
import { describe, expect, it } from 'vitest';
import {
  IP_FLAG,
  type IpPacket,
  type Ipv4Packet,
  internetChecksum,
  isIpv6,
  parseAnyAddress,
  parseTcp,
  pseudoHeader,
  type ReferenceDirector,
  type ReferenceOptions,
  serialiseTcp,
} from '../../src/reference/index.js';
import { ACK, FIN_ACK, judged, RST, SYN } from './builders.js';
import { checksumIsRight, ENDS, frame, NETWORK, packet, packetOf, plainDirector } from './builders6.js';

type Family = 4 | 6;

interface Words {
  flags?: number;
  sequence?: number;
  acknowledgment?: number;
  options?: number[];
  data?: string;
  /** Added to the right checksum. */
  error?: number;
  dontFragment?: boolean;
}

function tcp([source, sourcePort]: [string, number], to: [string, number], words: Words): IpPacket {
  const { flags = ACK, sequence = 1000, acknowledgment = 0, options = [], data = '', error = 0 } = words;
  const [destination, destinationPort] = to;
  const segment = {
    sourcePort,
    destinationPort,
    sequence,
    acknowledgment,
    offsetAndReserved: (5 + options.length / 4) << 4,
    flags,
    window: 64_240,
    checksum: 0,
    urgentPointer: 0,
    rest: Uint8Array.from([...options, ...Buffer.from(data, 'latin1')]),
  };
  const bytes = serialiseTcp(segment);
  const pseudo = pseudoHeader(parseAnyAddress(source), parseAnyAddress(destination), 6, bytes.length);
  const checksum = internetChecksum(Uint8Array.from([...pseudo, ...bytes])) ^ error;
  const made = packet(source, destination, 6, serialiseTcp({ ...segment, checksum }));
  return words.dontFragment && !isIpv6(made) ? { ...made, flags: IP_FLAG.dontFragment } : made;
}

const CONTROL = 37_000;

/** A control connection that is established; the server's data starts at 5000. */
class Session {
  readonly made: ReferenceDirector;
  readonly family: Family;

  constructor(family: Family = 4, options: Partial<ReferenceOptions> = {}) {
    this.family = family;
    const { vip, server } = ENDS[family];
    this.made = plainDirector({ network: { ...NETWORK, ip_vs_ftp: {} }, ...options });
    const service = { protocol: 'tcp', address: vip, port: 21 } as const;
    this.made.addService({ ...service, scheduler: 'rr' });
    this.made.addDest(service, { address: server, method: 'nat' });
    this.client({ flags: SYN, sequence: 999 });
    this.server({ flags: SYN | ACK, sequence: 4999 });
    this.client({});
  }

  client(words: Words, ports: [number, number] = [CONTROL, 21], now = 0) {
    const { client, vip } = ENDS[this.family];
    return this.made.send(frame(tcp([client, ports[0]], [vip, ports[1]], words)), 'cli', now);
  }

  server(words: Words, ports: [number, number] = [21, CONTROL], now = 0) {
    const { client, server } = ENDS[this.family];
    return this.made.send(frame(tcp([server, ports[0]], [client, ports[1]], words), 'srv'), 'srv', now);
  }

  /** The connections but the control connection, as ipvsadm -Lnc has them. */
  data(now = 0): string[] {
    return this.made
      .connections(now)
      .slice(1)
      .map((each) => `${each.state} ${each.clientPort} ${each.virtualPort} ${each.destAddress}:${each.destPort}`);
  }
}

/** What a segment says as it leaves: its words, and that its checksums are right. */
function left(outcomes: ReturnType<Session['client']>) {
  const [outcome] = outcomes;
  const whole = packetOf(outcome!.frame);
  const { sequence, acknowledgment, offsetAndReserved, rest } = parseTcp(whole.payload);
  const options = (offsetAndReserved >>> 4) * 4 - 20;
  const text = Buffer.from(rest.subarray(options)).toString('latin1');
  return { sequence, acknowledgment, text, isRight: checksumIsRight(whole), options: [...rest.subarray(0, options)] };
}

const ENTERING = (words: string) => `227 Entering Passive Mode (${words}).\r\n`;
const EXTENDED = (words: string) => `229 Entering Extended Passive Mode (${words})\r\n`;

describe('PASV', () => {
  const passive = (options: Partial<ReferenceOptions> = {}): Session => {
    const session = new Session(4, options);
    session.client({ data: 'PASV\r\n' });
    return session;
  };

  it('names the virtual address in place of the server’s, and waits for the client', () => {
    const session = passive();
    expect(left(session.server({ sequence: 5000, data: ENTERING('10,1,0,11,156,64') }))).toMatchObject({
      sequence: 5000,
      text: ENTERING('10,0,0,100,156,64'),
      isRight: true,
    });
    expect(session.data()).toEqual(['LISTEN 0 40000 10.1.0.11:40000']);
    expect(session.made.connections(0)[1]).toMatchObject({ expires: 120, inPackets: 0 });
    expect(judged(session.client({ flags: SYN }, [37_001, 40_000]))).toEqual(['forward nat-in']);
    expect(session.data()).toEqual(['SYN_RECV 37001 40000 10.1.0.11:40000']);
    expect(judged(session.server({ flags: SYN | ACK }, [40_000, 37_001]))).toEqual(['forward nat-out']);
    // Nobody waits for a second one.
    expect(judged(session.client({ flags: SYN }, [37_002, 40_000]))).toEqual(['local local-delivery']);
  });

  it('moves what the server sends, and what the client acknowledges', () => {
    const session = passive();
    const data = ENTERING('10,1,0,11,156,64');
    const end = 5000 + data.length;
    session.server({ sequence: 5000, data });
    expect(left(session.server({ sequence: end, acknowledgment: 7, data: '226' }))).toMatchObject({
      sequence: end + 1,
      acknowledgment: 7,
      isRight: true,
    });
    const sack = [1, 1, 5, 10, 0, 0, 0x13, 0x88, 0, 0, 0x13, 0xc0];
    expect(left(session.client({ acknowledgment: end + 1, options: sack }))).toMatchObject({
      acknowledgment: end,
      options: [1, 1, 5, 10, 0, 0, 0x13, 0x88, 0, 0, 0x13, 0xbf],
      isRight: true,
    });
    // Up to the answer nothing has moved, and what is no acknowledgment is none.
    expect(left(session.server({ sequence: 4990, data: 'late' }))).toMatchObject({ sequence: 4990 });
    expect(left(session.client({ acknowledgment: 5000 }))).toMatchObject({ acknowledgment: 5000 });
    expect(left(session.client({ flags: RST, acknowledgment: end + 9 }))).toMatchObject({ acknowledgment: end + 9 });
  });

  it('counts what the server sends as it leaves', () => {
    const session = passive();
    const before = session.made.services()[0]!.stats.outBytes;
    session.server({ sequence: 5000, data: ENTERING('10,1,0,11,156,64') });
    expect(session.made.services()[0]!.stats.outBytes - before).toBe(BigInt(40 + ENTERING('10,0,0,100,156,64').length));
    expect(session.made.services()[0]!.stats.connections).toBe(1n);
  });

  it('gives one answer: the next ones pass as they are', () => {
    const session = passive();
    const data = ENTERING('10,1,0,11,156,64');
    session.server({ sequence: 5000, data });
    expect(left(session.server({ sequence: 5000, data }))).toMatchObject({ sequence: 5000, text: data });
    session.client({ data: 'pasv\r\n' });
    // A second answer about the same port finds the connection that waits.
    expect(left(session.server({ sequence: 5060, data: '227 10,1,0,11,156,64\r\n' }))).toMatchObject({
      sequence: 5061,
      text: '227 10,0,0,100,156,64\r\n',
      isRight: true,
    });
    expect(session.data()).toHaveLength(1);
    expect(left(session.server({ sequence: 5100 }))).toMatchObject({ sequence: 5102, isRight: true });
  });

  it.each([
    ['is not whole', '227 Entering Passive Mode (10,1,0,11,156,64'],
    ['has too few numbers', ENTERING('10,1,0,11,156')],
    ['is another one', '226 (10,1,0,11,156,64).\r\n'],
  ])('hears no answer that %s', (_, data) => {
    const session = passive();
    expect(left(session.server({ data })).text).toBe(data);
    expect(session.data()).toEqual([]);
  });

  it('hears nothing before the connection is established, nor on other ports, nor by other methods', () => {
    const early = new Session();
    early.client({ flags: FIN_ACK });
    early.client({ data: 'PASV\r\n' });
    expect(left(early.server({ data: ENTERING('10,1,0,11,156,64') })).text).toBe(ENTERING('10,1,0,11,156,64'));
    const other = passive({ network: { ...NETWORK, ip_vs_ftp: { ports: [2121] } } });
    expect(left(other.server({ data: ENTERING('10,1,0,11,156,64') })).text).toBe(ENTERING('10,1,0,11,156,64'));
  });

  it('drops a segment with a wrong checksum, uncounted, on either way', () => {
    const session = new Session();
    const { inPackets, outPackets } = session.made.services()[0]!.stats;
    expect(judged(session.client({ data: 'PASV\r\n', error: 1 }))).toEqual(['drop tcp-checksum']);
    expect(judged(session.server({ error: 1 }))).toEqual(['drop tcp-checksum']);
    expect(session.made.services()[0]!.stats).toMatchObject({ inPackets: inPackets + 1n, outPackets });
  });

  it('drops options that cannot be read, once something has moved', () => {
    const session = passive();
    const options = [1, 1, 5, 10];
    expect(judged(session.server({ sequence: 5000, options }))).toEqual(['forward nat-out']);
    session.server({ sequence: 5000, data: ENTERING('10,1,0,11,156,64') });
    expect(judged(session.client({ options }))).toEqual(['drop tcp-option']);
    expect(judged(session.server({ options }))).toEqual(['drop tcp-option']);
    expect(judged(session.client({ options, flags: RST }))).toEqual(['forward nat-in']);
  });

  it('needs room in the table; what is dropped for the lack of it restarts the timer', () => {
    const session = passive({ connections: 1 });
    const answer = session.server({ data: ENTERING('10,1,0,11,156,64') }, [21, CONTROL], 60_000);
    expect(judged(answer)).toEqual(['drop table-full']);
    expect(session.made.connections(60_000)[0]).toMatchObject({ expires: 900 });
  });

  it('counts numbers modulo 256', () => {
    const session = passive();
    const data = ENTERING('266,1,256,11,156,320');
    expect(left(session.server({ data })).text).toBe(ENTERING('10,0,0,100,156,64'));
    expect(session.data()).toEqual(['LISTEN 0 40000 10.1.0.11:40000']);
  });

  it('drops an answer whose flags no segment has', () => {
    const session = passive();
    expect(judged(session.server({ flags: 0, data: ENTERING('10,1,0,11,156,64') }))).toEqual(['drop tcp-option']);
  });

  it('moves nothing that has flags that no segment has', () => {
    const session = passive();
    session.server({ sequence: 5000, data: ENTERING('10,1,0,11,156,64') });
    expect(left(session.client({ flags: SYN | RST, acknowledgment: 6000 }))).toMatchObject({ acknowledgment: 6000 });
    expect(left(session.client({ acknowledgment: 6000 }))).toMatchObject({ acknowledgment: 5999 });
  });

  it('that may not be cut is too big once it has grown, and nobody is told', () => {
    const grown = (length: number) => {
      const data = ENTERING('10,1,0,11,156,64').padEnd(length, 'x');
      return judged(passive().server({ data, dontFragment: true }));
    };
    expect(grown(1459)).toEqual(['forward nat-out']);
    expect(grown(1460)).toEqual(['drop too-big']);
  });

  it('in pieces leaves cut by the longest', () => {
    const session = passive();
    const data = ENTERING('10,1,0,11,156,64').padEnd(180, 'x');
    const whole = tcp([ENDS[4].server, 21], [ENDS[4].client, CONTROL], { data }) as Ipv4Packet;
    const pieces = [
      { ...whole, flags: 1, payload: whole.payload.subarray(0, 80) },
      { ...whole, fragmentOffset: 10, payload: whole.payload.subarray(80) },
    ];
    const outcomes = pieces.flatMap((piece) => session.made.send(frame(piece, 'srv'), 'srv', 0));
    const sent = outcomes.filter(({ verdict }) => verdict === 'forward');
    expect(sent.map((each) => each.frame.length - 34)).toEqual([120, 81]);
  });

  it('sends to where the server said by the way of its dest', () => {
    const neighbour = { dst: '10.2.0.12', dev: 'srv', lladdr: '02:00:00:00:01:12' };
    const network = { ...NETWORK, ip_vs_ftp: {}, neighbours: [...NETWORK.neighbours!, neighbour] };
    const session = passive({ network });
    session.server({ data: ENTERING('10,2,0,12,156,64') });
    const [outcome] = session.client({ flags: SYN }, [1, 40_000]);
    expect(judged([outcome!])).toEqual(['forward nat-in']);
    expect(packetOf(outcome!.frame)).toMatchObject({ destination: parseAnyAddress('10.2.0.12') });
    expect(outcome!.frame[5]).toBe(0x12);
  });
});

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { client, server } = ENDS[family];
  const number = family === 4 ? 1 : 2;

  it.each(['EPSV\r\n', `EPSV ${number}\r\n`, `NOOP\r\nepsv\r\n`])('%j', (data) => {
    const session = new Session(family);
    session.client({ data });
    expect(left(session.server({ sequence: 5000, data: EXTENDED('|||40000|') }))).toMatchObject({
      text: EXTENDED('|||40000|'),
      isRight: true,
    });
    expect(session.data()).toEqual([`LISTEN 0 40000 ${server}:40000`]);
    session.client({ flags: SYN }, [37_001, 40_000]);
    expect(session.data()).toEqual([`SYN_RECV 37001 40000 ${server}:40000`]);
  });

  it('EPSV: a server may name another address', () => {
    const session = new Session(family);
    session.client({ data: 'EPSV\r\n' });
    const other = family === 4 ? '10.1.0.12' : 'fd00:1::12';
    const data = EXTENDED(`!${number}!${other}!40000!`);
    expect(left(session.server({ sequence: 5000, data })).text).toBe(EXTENDED('|||40000|'));
    expect(session.data()).toEqual([`LISTEN 0 40000 ${other}:40000`]);
    expect(left(session.server({ sequence: 5100 })).sequence).toBe(5100 - `!${number}!${other}!40000!`.length + 9);
  });

  it(`EPSV ${3 - number}, EPSV ALL: not heard`, () => {
    for (const data of [`EPSV ${3 - number}\r\n`, 'EPSV ALL\r\n']) {
      const session = new Session(family);
      session.client({ data });
      session.server({ data: EXTENDED('|||40000|') });
      expect(session.data()).toEqual([]);
    }
  });

  it('EPRT: the server’s next connection is expected from the port below', () => {
    const session = new Session(family);
    session.client({ data: `EPRT |${number}|${client}|37006|\r\n` });
    expect(session.data()).toEqual([`LISTEN 37006 20 ${server}:20`]);
    expect(judged(session.server({ flags: SYN }, [20, 37_006]))).toEqual(['forward nat-out']);
    expect(session.data()).toEqual([`LISTEN 37006 20 ${server}:20`]);
    session.client({ flags: SYN | ACK }, [37_006, 20]);
    expect(session.data()).toEqual([`SYN_RECV 37006 20 ${server}:20`]);
  });

  it.each([
    `EPRT |${3 - number}|${client}|37006|\r\n`,
    `EPRT |${number}|${client}|0|\r\n`,
    `EPRT |${number}|${client}|65536|\r\n`,
    `EPRT |${number}|${client}|37006`,
    `EPRT |||37006|\r\n`,
  ])('%j: not heard', (data) => {
    const session = new Session(family);
    session.client({ data });
    expect(session.data()).toEqual([]);
  });

  it('PORT and PASV are of IPv4', () => {
    const session = new Session(family);
    session.client({ data: 'PORT 10,0,0,2,144,141\r\n' });
    expect(session.data()).toEqual(family === 4 ? [`LISTEN 37005 20 ${server}:20`] : []);
  });
});

describe('a control connection', () => {
  it('outlives its time while it controls others, by minutes', () => {
    const session = new Session();
    session.client({ data: 'PORT 10,0,0,2,144,141\r\n' });
    session.client({ flags: FIN_ACK });
    session.server({ flags: FIN_ACK });
    session.client({ flags: SYN | ACK }, [37_005, 20], 1000);
    session.client({}, [37_005, 20], 1000);
    const [control] = session.made.connections(1000);
    expect(control).toMatchObject({ state: 'TIME_WAIT', expires: 119 });
    expect(session.made.connections(121_000)[0]).toMatchObject({ state: 'TIME_WAIT', expires: 59 });
    expect(session.made.connections(900_000)).toHaveLength(2);
    expect(session.made.connections(901_000)).toMatchObject([{ state: 'TIME_WAIT', expires: 59 }]);
    expect(session.made.connections(960_000)).toEqual([]);
  });

  it('that ended does not begin again in its data connection, and leaves the old one while that has any', () => {
    const session = new Session();
    session.client({ data: 'PORT 10,0,0,2,144,141\r\n' });
    session.client({ flags: FIN_ACK });
    session.server({ flags: FIN_ACK });
    session.client({ flags: SYN });
    expect(session.made.connections(0).map(({ state, clientPort }) => `${state} ${clientPort}`)).toEqual([
      'TIME_WAIT 37000',
      'LISTEN 37005',
      'SYN_RECV 37000',
    ]);
  });
});
