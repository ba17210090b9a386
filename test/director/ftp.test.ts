/** FTP's helper for NAT: whose connections are read, and what becomes of their segments else. */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import { EXTENDED, PASSIVE, Session, type SessionOptions, textOf, WAITING } from '../support/ftp.js';
import { judged, SERVERS, VIP, VIP6 } from '../support/lab.js';
import { RST, SYN } from '../support/packets.js';

describe.each(BINARIES)('%s', (binary) => {
  const opened = (options: SessionOptions = {}) => new Session({ binary, ...options }).open();

  describe('whose connections are read', () => {
    it('none without the helper', () => {
      const session = opened({ ftp: undefined });
      expect(textOf(session.reply('PASV\r\n', PASSIVE))).toBe(PASSIVE);
      session.toServer({ text: 'PORT 10,0,0,2,144,141\r\n' });
      expect(session.calls()).toEqual([]);
    });

    it('those of its ports', () => {
      const session = opened({ port: 2121, ftp: { ports: [21, 2121] } });
      expect(textOf(session.reply('PASV\r\n', PASSIVE))).toContain('10,0,0,100');
      const other = opened({ port: 2122, ftp: { ports: [21, 2121] } });
      expect(textOf(other.reply('PASV\r\n', PASSIVE))).toBe(PASSIVE);
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
      expect(textOf(session.reply('PASV\r\n', PASSIVE))).toBe(PASSIVE);
      const other = opened();
      const { ip_vs_ftp, ...without } = other.director.network;
      expect(ip_vs_ftp).toEqual({});
      other.director.setNetwork(without);
      expect(textOf(other.reply('PASV\r\n', PASSIVE))).toContain('10,0,0,100');
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
