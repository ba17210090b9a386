/** FTP's helper for NAT: active mode, which commands it takes, and the entries that it makes. */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import { left, PASSIVE, Session, type SessionOptions, textOf } from '../support/ftp.js';
import { CLIENT, judged, SERVERS, VIP } from '../support/lab.js';
import { ACK, SYN } from '../support/packets.js';

describe.each(BINARIES)('%s', (binary) => {
  const opened = (options: SessionOptions = {}) => new Session({ binary, ...options }).open();

  describe('PORT and EPRT', () => {
    const CALL = `${CLIENT} 37005 > 20 > ${SERVERS[0]} 20 LISTEN`;

    it.each([
      'PORT 10,0,0,2,144,141\r\n',
      'port   10,0,0,2,144,141\r\n',
      'EPRT |1|10.0.0.2|37005|\r\n',
      'eprt !1!010.0.0.2!37005!',
    ])('%j goes on as it is, and the server may call', (command) => {
      const session = opened();
      expect(textOf(left(session.toServer({ text: command })))).toBe(command);
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
      expect(textOf(left(session.toClient({ text: PASSIVE })))).toBe(PASSIVE);
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
      expect(textOf(left(session.toServer({ text: command })))).toBe(command);
      expect(session.calls()).toEqual([]);
    });

    it('port 0 is nobody’s', () => {
      const session = opened();
      session.toServer({ text: 'PORT 10,0,0,2,0,0\r\n' });
      expect(session.calls()).toEqual([`${CLIENT} 0 > 20 > ${SERVERS[0]} 20 LISTEN`]);
      expect(judged(session.toServer({ sport: 0, dport: 20, flags: SYN }))).toEqual(['local local-delivery']);
    });
  });
});
