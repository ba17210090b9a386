/** FTP's helper for NAT (ip_vs_ftp): passive mode, which commands and replies it takes, and the entries that it makes. */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import {
  CLIENT_ISN,
  EXTENDED,
  left,
  PASSIVE,
  SERVER_ISN,
  Session,
  type SessionOptions,
  textOf,
  WAITING,
} from '../support/ftp.js';
import { CLIENT, judged, SERVERS, VIP } from '../support/lab.js';
import { ACK, FIN, SYN } from '../support/packets.js';

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
      expect(textOf(session.reply(command, reply))).toBe(expected);
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
      expect(textOf(session.reply(command, reply))).toBe(reply);
      expect(session.calls()).toEqual([]);
    });

    it('waits for its reply past others', () => {
      const session = opened();
      session.reply('PASV\r\n', '220 later\r\n');
      expect(textOf(left(session.toClient({ text: PASSIVE })))).toContain('10,0,0,100');
    });

    it('one reply is taken, until the next command', () => {
      const session = opened();
      session.reply('PASV\r\n', PASSIVE);
      expect(textOf(left(session.toClient({ text: PASSIVE })))).toBe(PASSIVE);
      expect(textOf(session.reply('PASV\r\n', PASSIVE))).toContain('10,0,0,100');
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
      expect(textOf(left(closing.toClient({ text: PASSIVE })))).toBe(PASSIVE);
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
      expect(textOf(session.reply(command, reply))).toBe(reply);
      expect(session.calls()).toEqual([]);
    });
  });
});
