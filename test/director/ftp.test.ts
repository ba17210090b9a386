/** FTP's helper for NAT (ip_vs_ftp): which commands and replies it takes, the entries that it makes, what it puts into replies. */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import { CLIENT_ISN, left, SERVER_ISN, Session, type SessionOptions } from '../support/ftp.js';
import { CLIENT, CLIENT6, judged, SERVERS, SERVERS6, VIP, VIP6 } from '../support/lab.js';
import { ACK, FIN, RST, SYN } from '../support/packets.js';

const text = (outcome: ReturnType<typeof left>): string => (typeof outcome === 'string' ? outcome : outcome.text);
const PASSIVE = '227 Entering Passive Mode (10,1,0,11,156,64).\r\n';
const EXTENDED = '229 Entering Extended Passive Mode (|||40000|)\r\n';
const WAITING = `${CLIENT} 0 > 40000 > ${SERVERS[0]} 40000 LISTEN`;
const WAITING6 = `${CLIENT6} 0 > 40000 > ${SERVERS6[0]} 40000 LISTEN`;

describe.each(BINARIES)('%s', (binary) => {
  const opened = (options: SessionOptions = {}) => new Session({ binary, ...options }).open();

  describe('PASV', () => {
    it('the reply names the service, and an entry waits for the client', () => {
      const session = opened();
      const got = session.reply('PASV\r\n', PASSIVE);
      expect(got).toMatchObject({
        text: '227 Entering Passive Mode (10,0,0,100,156,64).\r\n',
        right: true,
        seq: SERVER_ISN,
      });
      expect(session.calls()).toEqual([WAITING]);
    });

    it('the client comes from whatever port, once', () => {
      const session = opened();
      session.reply('PASV\r\n', PASSIVE);
      const data = { sport: 37_001, dport: 40_000 };
      expect(left(session.toServer({ ...data, flags: SYN }))).toMatchObject({
        sport: 37_001,
        dport: 40_000,
        right: true,
      });
      expect(session.calls()).toEqual([`${CLIENT} 37001 > 40000 > ${SERVERS[0]} 40000 SYN_RECV`]);
      const answer = session.toClient({ sport: 40_000, dport: 37_001, flags: SYN | ACK });
      expect(left(answer)).toMatchObject({ source: VIP, sport: 40_000, dport: 37_001, right: true });
      session.toServer({ ...data, flags: ACK });
      expect(session.calls()).toEqual([`${CLIENT} 37001 > 40000 > ${SERVERS[0]} 40000 ESTABLISHED`]);
      // Nobody waits for another.
      expect(judged(session.toServer({ sport: 37_002, dport: 40_000, flags: SYN }))).toEqual(['local local-delivery']);
    });

    it('is not scheduled nor counted as a connection, but is the dest’s', () => {
      const session = opened();
      session.reply('PASV\r\n', PASSIVE);
      session.toServer({ sport: 37_001, dport: 40_000, flags: SYN });
      const [service] = session.director.services();
      expect(service?.stats.connections).toBe(1n);
      expect(service?.dests[0]).toMatchObject({ activeConnections: 2, inactiveConnections: 0 });
    });

    it.each([
      ['anywhere in the data', 'NOOP\r\npasv\r\n', PASSIVE, '227 Entering Passive Mode (10,0,0,100,156,64).\r\n'],
      ['without parentheses', 'PASV\r\n', '227 Passive 10,1,0,11,156,64\r\n', '227 Passive 10,0,0,100,156,64\r\n'],
      ['with leading zeros', 'PASV\r\n', '227 (010,001,000,011,156,064)\r\n', '227 (10,0,0,100,156,64)\r\n'],
      ['with numbers modulo 256', 'PASV\r\n', '227 (266,257,0,11,412,64)\r\n', '227 (10,0,0,100,156,64)\r\n'],
      ['with several parentheses', 'PASV\r\n', '227 (((10,1,0,11,156,64)\r\n', '227 (((10,0,0,100,156,64)\r\n'],
      ['with more numbers behind', 'PASV\r\n', '227 (10,1,0,11,156,64,7)\r\n', '227 (10,0,0,100,156,64,7)\r\n'],
    ])('%s', (_, command, reply, expected) => {
      const session = opened();
      expect(text(session.reply(command, reply))).toBe(expected);
      expect(session.calls()).toEqual([WAITING]);
    });

    it.each([
      ['no command went before', 'NOOP\r\n', PASSIVE],
      ['a command that is cut', 'PASV\r', PASSIVE],
      ['a command with an argument', 'PASV 1\r\n', PASSIVE],
      ['another reply', 'PASV\r\n', '226 Entering Passive Mode (10,1,0,11,156,64).\r\n'],
      ['not at the beginning', 'PASV\r\n', `220 x\r\n${PASSIVE}`],
      ['a reply that is cut', 'PASV\r\n', '227 (10,1,0,11,156,64'],
      ['too few numbers', 'PASV\r\n', '227 (10,1,0,11,156).\r\n'],
      ['something else between', 'PASV\r\n', '227 (10,1,0,11;156,64)\r\n'],
      ['an extended reply', 'PASV\r\n', EXTENDED],
      ['nothing', 'PASV\r\n', ''],
      ['two letters', 'PASV\r\n', '22'],
      ['the number alone', 'PASV\r\n', '227 '],
    ])('is not taken: %s', (_, command, reply) => {
      const session = opened();
      expect(text(session.reply(command, reply))).toBe(reply);
      expect(session.calls()).toEqual([]);
    });

    it('waits for its reply past others', () => {
      const session = opened();
      session.reply('PASV\r\n', '220 later\r\n');
      expect(text(left(session.toClient({ text: PASSIVE })))).toContain('10,0,0,100');
    });

    it('one reply is taken, until the next command', () => {
      const session = opened();
      session.reply('PASV\r\n', PASSIVE);
      expect(text(left(session.toClient({ text: PASSIVE })))).toBe(PASSIVE);
      expect(text(session.reply('PASV\r\n', PASSIVE))).toContain('10,0,0,100');
      expect(session.calls()).toEqual([WAITING]);
    });

    it('the server may name another address', () => {
      const session = opened();
      session.reply('PASV\r\n', '227 (10,1,0,12,156,64)\r\n');
      expect(session.calls()).toEqual([`${CLIENT} 0 > 40000 > ${SERVERS[1]} 40000 LISTEN`]);
      const [outcome] = session.toServer({ sport: 1, dport: 40_000, flags: SYN });
      expect(outcome?.frame.subarray(30, 34)).toEqual(Uint8Array.of(10, 1, 0, 12));
      const answer = session.toClient({ source: SERVERS[1], sport: 40_000, dport: 1, flags: SYN | ACK });
      expect(left(answer)).toMatchObject({ source: VIP, sport: 40_000 });
    });

    it('of several that wait at one port the newest is first', () => {
      const session = opened();
      session.reply('PASV\r\n', PASSIVE);
      session.reply('PASV\r\n', '227 (10,1,0,12,156,64)\r\n');
      const servers = [1, 2].map((sport) => session.toServer({ sport, dport: 40_000, flags: SYN })[0]?.frame[33]);
      expect(servers).toEqual([12, 11]);
      expect(judged(session.toServer({ sport: 3, dport: 40_000, flags: SYN }))).toEqual(['local local-delivery']);
    });

    it('a few may wait at one port', () => {
      const session = opened();
      for (let n = 1; n <= 40; n++) session.reply('PASV\r\n', `227 (10,1,0,${n},156,64)\r\n`);
      let taken = 0;
      while (left(session.toServer({ sport: ++taken, dport: 40_000, flags: SYN })) !== 'local local-delivery') {
        expect(taken).toBeLessThan(12);
      }
      expect(taken).toBeGreaterThan(4);
    });

    it('only of an established connection', () => {
      const session = new Session({ binary });
      session.toServer({ flags: SYN, seq: CLIENT_ISN - 1 });
      session.toServer({ text: 'PASV\r\n' });
      session.toClient({ text: '220 hello\r\n' });
      // The client's segment came before any of the server's.
      expect(session.calls()).toEqual([]);
      const closing = opened();
      closing.toServer({ text: 'PASV\r\n', flags: ACK | FIN });
      expect(text(left(closing.toClient({ text: PASSIVE })))).toBe(PASSIVE);
    });

    it('a client that calls from port 0 is one, and its entry is found by nobody then', () => {
      const session = opened();
      session.reply('PASV\r\n', PASSIVE);
      const call = { sport: 0, dport: 40_000, flags: SYN };
      expect(judged(session.toServer(call))).toEqual(['forward nat-in']);
      expect(judged(session.toServer(call))).toEqual(['local local-delivery']);
      expect(judged(session.toClient({ sport: 40_000, dport: 0, flags: SYN | ACK }))).toEqual(['forward nat-out']);
    });
  });

  describe('EPSV', () => {
    it.each(['EPSV\r\n', 'epsv 1\r\n', 'x EPSV\r\n'])('%j: the reply names the port', (command) => {
      const session = opened();
      expect(session.reply(command, EXTENDED)).toMatchObject({ text: EXTENDED, right: true });
      expect(session.calls()).toEqual([WAITING]);
    });

    it.each([
      ['address and family', '229 (|1|10.1.0.11|40000|)\r\n', '229 (|||40000|)\r\n', SERVERS[0]],
      ['another address', '229 (|1|10.1.0.12|40000|)\r\n', '229 (|||40000|)\r\n', SERVERS[1]],
      ['another delimiter', '229 (!!!40000!)\r\n', '229 (|||40000|)\r\n', SERVERS[0]],
      ['a port with zeros', '229 (|||0040000|)\r\n', '229 (|||40000|)\r\n', SERVERS[0]],
      ['a port modulo 65536', '229 (|||105536|)\r\n', '229 (|||40000|)\r\n', SERVERS[0]],
    ])('a reply with %s', (_, reply, expected, address) => {
      const session = opened();
      expect(session.reply('EPSV\r\n', reply)).toMatchObject({ text: expected, right: true });
      expect(session.calls()).toEqual([`${CLIENT} 0 > 40000 > ${address} 40000 LISTEN`]);
    });

    it.each([
      ['the other family', 'EPSV 2\r\n', EXTENDED],
      ['ALL', 'EPSV ALL\r\n', EXTENDED],
      ['a longer word', 'EPSVX\r\n', EXTENDED],
      ['no port', 'EPSV\r\n', '229 (||||)\r\n'],
      ['port 0', 'EPSV\r\n', '229 (|||0|)\r\n'],
      ['a family without its address', 'EPSV\r\n', '229 (|1||40000|)\r\n'],
      ['an address without its family', 'EPSV\r\n', '229 (||10.1.0.11|40000|)\r\n'],
      ['an address of the other family', 'EPSV\r\n', '229 (|2|fd00:1::11|40000|)\r\n'],
      ['another last delimiter', 'EPSV\r\n', '229 (|||40000!)\r\n'],
      ['no last delimiter', 'EPSV\r\n', '229 (|||40000'],
      ['a blank as delimiter', 'EPSV\r\n', '229 (   40000 )\r\n'],
      ['no parenthesis', 'EPSV\r\n', '229 |||40000|\r\n'],
      ['an address out of bounds', 'EPSV\r\n', '229 (|1|10.1.0.256|40000|)\r\n'],
      ['an address of three numbers', 'EPSV\r\n', '229 (|1|10.1.11|40000|)\r\n'],
      ['a reply to PASV', 'EPSV\r\n', PASSIVE],
    ])('is not taken: %s', (_, command, reply) => {
      const session = opened();
      expect(text(session.reply(command, reply))).toBe(reply);
      expect(session.calls()).toEqual([]);
    });
  });

  describe('PORT and EPRT', () => {
    const CALL = `${CLIENT} 37005 > 20 > ${SERVERS[0]} 20 LISTEN`;

    it.each([
      'PORT 10,0,0,2,144,141\r\n',
      'port   10,0,0,2,144,141\r\n',
      'EPRT |1|10.0.0.2|37005|\r\n',
      'eprt !1!010.0.0.2!37005!',
    ])('%j goes on as it is, and the server may call', (command) => {
      const session = opened();
      expect(text(left(session.toServer({ text: command })))).toBe(command);
      expect(session.calls()).toEqual([CALL]);
      const call = session.toClient({ sport: 20, dport: 37_005, flags: SYN });
      expect(left(call)).toMatchObject({ source: VIP, sport: 20, dport: 37_005, right: true });
      const answer = session.toServer({ sport: 37_005, dport: 20, flags: SYN | ACK });
      expect(left(answer)).toMatchObject({ sport: 37_005, dport: 20, right: true });
    });

    it('the ports are those before the control connection’s, at the service and at the server', () => {
      const session = opened({ port: 2121, serverPort: 8021, ftp: { ports: [2121] } });
      session.toServer({ text: 'PORT 10,0,0,2,144,141\r\n' });
      expect(session.calls()).toEqual([`${CLIENT} 37005 > 2120 > ${SERVERS[0]} 8020 LISTEN`]);
    });

    it('any address may be named', () => {
      const session = opened();
      session.toServer({ text: 'PORT 10,9,1,1,0,7\r\n' });
      expect(session.calls()).toEqual([`10.9.1.1 7 > 20 > ${SERVERS[0]} 20 LISTEN`]);
    });

    it('an entry that is there already begins to wait again', () => {
      const session = opened();
      session.toServer({ text: 'PORT 10,0,0,2,144,141\r\n' });
      session.toClient({ sport: 20, dport: 37_005, flags: SYN });
      session.toServer({ sport: 37_005, dport: 20, flags: SYN | ACK });
      session.toClient({ sport: 20, dport: 37_005, flags: ACK });
      expect(session.calls()).toEqual([CALL.replace('LISTEN', 'ESTABLISHED')]);
      session.now = 50_000;
      session.toServer({ text: 'EPRT |1|10.0.0.2|37005|\r\n' });
      expect(session.calls()).toEqual([CALL]);
      const [, data] = session.director.connections(session.now).sort((a, b) => b.virtualPort - a.virtualPort);
      expect(data?.expires).toBe(120);
      // Its dest counts it as it did.
      expect(session.director.services()[0]?.dests[0]).toMatchObject({ activeConnections: 2, inactiveConnections: 0 });
    });

    it('they end the wait for a reply', () => {
      const session = opened();
      session.toServer({ text: 'PASV\r\n' });
      session.toServer({ text: 'PORT 10,0,0,2,144,141\r\n' });
      expect(text(left(session.toClient({ text: PASSIVE })))).toBe(PASSIVE);
    });

    it.each([
      'PORT 10,0,0,2,144,141',
      'PORT 10,0,0,2,144\r\n',
      'PORT\r\n',
      'PORT ',
      'NOOP\r\nPORT 10,0,0,2,144,141\r\n',
      'EPRT |2|fd00::2|37005|\r\n',
      'EPRT |||37005|\r\n',
      'EPRT |1|10.0.0.2|0|\r\n',
      'EPRT |1|10.0.0.2|37005\r\n',
      'EPRT |1|10.0.0|37005|\r\n',
      'EPRT |1|10.0.0.2.3|37005|\r\n',
      'EPRT |1|10.0.0.2:37005|\r\n',
      'EPRT |1|10.0.0.a|37005|\r\n',
      'EPRT .1.10.0.0.2.37005.\r\n',
      'EPRT |1|10.0.0.2\0|37005|\r\n',
      'EPSV ALL\r\nEPRT |1|10.0.0.2|37005|',
    ])('is not taken: %j', (command) => {
      const session = opened();
      expect(text(left(session.toServer({ text: command })))).toBe(command);
      expect(session.calls()).toEqual([]);
    });

    it('port 0 is nobody’s', () => {
      const session = opened();
      session.toServer({ text: 'PORT 10,0,0,2,0,0\r\n' });
      expect(session.calls()).toEqual([`${CLIENT} 0 > 20 > ${SERVERS[0]} 20 LISTEN`]);
      expect(judged(session.toServer({ sport: 0, dport: 20, flags: SYN }))).toEqual(['local local-delivery']);
    });
  });

  describe('IPv6', () => {
    const opened6 = () => opened({ v6: true });

    it.each(['EPSV\r\n', 'EPSV 2\r\n'])('%j', (command) => {
      const session = opened6();
      expect(session.reply(command, EXTENDED)).toMatchObject({ text: EXTENDED, right: true });
      expect(session.calls()).toEqual([WAITING6]);
      expect(left(session.toServer({ sport: 37_001, dport: 40_000, flags: SYN }))).toMatchObject({
        dport: 40_000,
        right: true,
      });
      expect(session.calls()).toEqual([`${CLIENT6} 37001 > 40000 > ${SERVERS6[0]} 40000 SYN_RECV`]);
      const answer = session.toClient({ sport: 40_000, dport: 37_001, flags: SYN | ACK });
      expect(left(answer)).toMatchObject({ sport: 40_000, dport: 37_001, right: true });
    });

    it.each([
      ['fd00:1::12', SERVERS6[1]],
      ['FD00:1:0:0:0:0:0:12', SERVERS6[1]],
      ['fd00:0001:0000:0000:0000:0000:0000:00012', SERVERS6[1]],
      ['fd00:1::0.0.0.18', SERVERS6[1]],
      ['fd00:1:0:0:0:0:0.0.0.18', SERVERS6[1]],
      ['::1', '::1'],
      ['1::', '1::'],
      ['::', '::'],
      ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
      ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
      ['1:2:3:4:5::1.2.3.4', '1:2:3:4:5:0:102:304'],
    ])('a reply with the address %s', (address, expected) => {
      const session = opened6();
      expect(session.reply('EPSV\r\n', `229 (|2|${address}|40000|)\r\n`)).toMatchObject({
        text: '229 (|||40000|)\r\n',
        right: true,
      });
      expect(session.calls()).toEqual([`${CLIENT6} 0 > 40000 > ${expected} 40000 LISTEN`]);
    });

    it.each([
      '',
      ':',
      ':::',
      '1',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1::2::3',
      '1:2:3:4:5:6:7:8::',
      ':1::',
      '1:2:3:4:5:6:7:',
      '12345::',
      'g::',
      '1:2:3:4:5:6:1.2.3',
      '1:2:3:4:5:6:7:1.2.3.4',
      '1:2:3:4:5:6::1.2.3.4',
      '::1.2.3.4.5',
      '::1.2.3.256',
      '::.1.2.3',
      '1.2.3.4',
      '::1%2',
      '::1 ',
    ])('no address: %j', (address) => {
      const session = opened6();
      const reply = `229 (|2|${address}|40000|)\r\n`;
      expect(text(session.reply('EPSV\r\n', reply))).toBe(reply);
      expect(session.calls()).toEqual([]);
    });

    it('EPRT', () => {
      const session = opened6();
      session.toServer({ text: `EPRT |2|${CLIENT6}|37005|\r\n` });
      expect(session.calls()).toEqual([`${CLIENT6} 37005 > 20 > ${SERVERS6[0]} 20 LISTEN`]);
      const call = session.toClient({ sport: 20, dport: 37_005, flags: SYN });
      expect(left(call)).toMatchObject({ sport: 20, dport: 37_005, right: true });
    });

    it.each(['PASV\r\n', 'EPSV 1\r\n', 'PORT 10,0,0,2,144,141\r\n', 'EPRT |1|10.0.0.2|37005|\r\n'])(
      '%j is not of it',
      (command) => {
        const session = opened6();
        for (const reply of [PASSIVE, EXTENDED]) expect(text(session.reply(command, reply))).toBe(reply);
        expect(session.calls()).toEqual([]);
      },
    );
  });

  describe('whose connections are read', () => {
    it('none without the helper', () => {
      const session = opened({ ftp: undefined });
      expect(text(session.reply('PASV\r\n', PASSIVE))).toBe(PASSIVE);
      session.toServer({ text: 'PORT 10,0,0,2,144,141\r\n' });
      expect(session.calls()).toEqual([]);
    });

    it('those of its ports', () => {
      const session = opened({ port: 2121, ftp: { ports: [21, 2121] } });
      expect(text(session.reply('PASV\r\n', PASSIVE))).toContain('10,0,0,100');
      const other = opened({ port: 2122, ftp: { ports: [21, 2121] } });
      expect(text(other.reply('PASV\r\n', PASSIVE))).toBe(PASSIVE);
    });

    it('those of NAT', () => {
      const session = opened({ dests: [{ address: SERVERS[0], method: 'dr' }] });
      session.toServer({ text: 'PORT 10,0,0,2,144,141\r\n' });
      expect(session.calls()).toEqual([]);
    });

    it('those that were opened while it was there, for as long as they live', () => {
      const session = opened({ ftp: undefined });
      const { network } = session.director;
      session.director.setNetwork({ ...network, ip_vs_ftp: {} });
      expect(text(session.reply('PASV\r\n', PASSIVE))).toBe(PASSIVE);
      const other = opened();
      const { ip_vs_ftp, ...without } = other.director.network;
      expect(ip_vs_ftp).toEqual({});
      other.director.setNetwork(without);
      expect(text(other.reply('PASV\r\n', PASSIVE))).toContain('10,0,0,100');
    });

    it('a service of port 0 or of a mark, too', () => {
      const session = opened({ service: { persistent: 300 } });
      session.reply('PASV\r\n', PASSIVE);
      expect(session.calls()).toEqual([WAITING]);
    });

    it.each([
      { ports: [0] },
      { ports: [65_536] },
      { ports: [1.5] },
      { ports: [21, 21] },
      { ports: [1, 2, 3, 4, 5, 6, 7, 8, 9] },
    ])('refuses %j', (ftp) => {
      expect(() => new Session({ binary, ftp })).toThrow(/ip_vs_ftp\.ports: expected/);
    });
  });

  it('a wrong checksum of a connection that is read is dropped in both directions, and counts only what went in', () => {
    const session = opened();
    expect(judged(session.toServer({ text: 'PASV\r\n', checksum: 1 }))).toEqual(['drop tcp-checksum']);
    expect(judged(session.toClient({ text: 'x', checksum: 1 }))).toEqual(['drop tcp-checksum']);
    expect(judged(session.toClient({ text: 'x', checksum: 1, flags: RST }))).toEqual(['drop tcp-checksum']);
    const [control] = session.director.connections(0);
    expect(control).toMatchObject({ state: 'ESTABLISHED', inPackets: 3 });
    expect(session.director.services()[0]?.stats).toMatchObject({ inPackets: 3n, outPackets: 1n });
  });

  it('the data connection’s own checksum is nobody’s business', () => {
    const session = opened();
    session.reply('PASV\r\n', PASSIVE);
    expect(judged(session.toServer({ sport: 1, dport: 40_000, flags: SYN, checksum: 1 }))).toEqual(['forward nat-in']);
  });

  it.each([VIP, VIP6])('no room for an entry: the segment is dropped (%s)', (vip) => {
    const v6 = vip === VIP6;
    const plan = { connections: 1, connections6: 1, arenaBytes: 1 << 17 };
    const session = opened({ v6, options: { plan } });
    expect(judged(session.toServer({ text: v6 ? 'EPRT |2|::1|5|' : 'PORT 10,0,0,2,144,141\r\n' }))).toEqual([
      'drop table-full',
    ]);
    session.toServer({ text: 'EPSV\r\n' });
    expect(judged(session.toClient({ text: EXTENDED }))).toEqual(['drop table-full']);
  });

  it('no room for an extension: the connection is refused', () => {
    const session = opened({ options: { plan: { connections: 64, extensions: 1, arenaBytes: 1 << 17 } } });
    expect(judged(session.toServer({ sport: 5, flags: SYN }))).toEqual(['drop table-full']);
    expect(session.director.connections(0)).toHaveLength(1);
    // It is there again when the first one ends.
    session.now = 1_000_000;
    expect(judged(session.toServer({ sport: 5, flags: SYN }))).toEqual(['forward nat-in']);
  });
});
