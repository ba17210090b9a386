/** FTP's helper for NAT of IPv6: commands and replies, and the addresses in them. */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import { EXTENDED, left, PASSIVE, Session, type SessionOptions, textOf } from '../support/ftp.js';
import { CLIENT6, SERVERS6 } from '../support/lab.js';
import { ACK, SYN } from '../support/packets.js';

const WAITING6 = `${CLIENT6} 0 > 40000 > ${SERVERS6[0]} 40000 LISTEN`;

describe.each(BINARIES)('%s', (binary) => {
  const opened = (options: SessionOptions = {}) => new Session({ binary, ...options }).open();

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
      expect(textOf(session.reply('EPSV\r\n', reply))).toBe(reply);
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
        for (const reply of [PASSIVE, EXTENDED]) expect(textOf(session.reply(command, reply))).toBe(reply);
        expect(session.calls()).toEqual([]);
      },
    );
  });
});
