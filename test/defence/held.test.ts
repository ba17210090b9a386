/** A template or a control connection that is in hand while a connection is made under it: it stays, and in the wheel once. */
import { describe, expect, it } from 'vitest';
import { Director, EVICT_NAMES } from '../../src/director.js';

import { CLIENT_ISN, Session } from '../support/ftp.js';
import { CLIENT, fromClient, fromServer, judged, lab, request, SERVERS, TCP_KEY, UDP_KEY } from '../support/lab.js';
import { ACK, FIN, SYN, tcp } from '../support/packets.js';

const NAT = { address: SERVERS[0], method: 'nat' } as const;
const small = (connections: number) => ({ plan: { connections, arenaBytes: 1 << 17 } });

/** A snapshot is refused when lists do not hold together. */
function expectWhole(director: Director): void {
  expect(() => Director.restoreSync(director.snapshot())).not.toThrow();
}

const listed = (director: Director, now = 0): string[] =>
  director
    .connections(now)
    .map((one) => `${one.clientPort} ${one.virtualPort} ${one.template ? 'template' : one.state}`);

/** Of a persistent TCP service. */
function sender(director: Director): (sport: number, flags: number, now?: number) => string | undefined {
  return (sport, flags, now = 0) => judged(director.send(fromClient(request('tcp', { sport, flags })), 'cli', now))[0];
}

describe('a template', () => {
  it('without a connection that lasts is not ended for its own next one', () => {
    const director = lab([NAT], { evict: 'half-open', ...small(2) }, { persistent: 300 }, [TCP_KEY]);
    const send = sender(director);
    expect([send(1001, SYN), send(1002, SYN)]).toEqual(['forward nat-in', 'forward nat-in']);
    expect(listed(director).sort()).toEqual(['0 80 template', '1002 80 SYN_RECV']);
    expect(director.connections(0).map(({ destAddress }) => destAddress)).toEqual([SERVERS[0], SERVERS[0]]);
    expectWhole(director);
  });

  it('whose only connection makes room for the next one', () => {
    const director = lab([NAT], { evict: 'closing', ...small(2) }, { persistent: 300 }, [TCP_KEY]);
    const send = sender(director);
    send(1001, SYN);
    send(1001, ACK);
    send(1001, FIN | ACK);
    const fin = tcp({ source: SERVERS[0], destination: CLIENT, sport: 80, dport: 1001, flags: FIN | ACK });
    director.send(fromServer(fin), 'srv', 0);
    expect(send(1002, SYN, 5000)).toBe('forward nat-in');
    expect(listed(director, 5000).sort()).toEqual(['0 80 template', '1002 80 SYN_RECV']);
    expectWhole(director);
  });

  it('whose connection from port 0 is due when the next one is made', () => {
    const director = lab([NAT], small(64), { persistent: 400 }, [UDP_KEY]);
    const send = (now: number) => judged(director.send(fromClient(request('udp', { sport: 0 })), 'cli', now))[0];
    expect(send(10)).toBe('forward nat-in');
    expect(send(300_015)).toBe('forward nat-in');
    expectWhole(director);
    director.advance(2_000_000);
    expect(director.connectionCount).toBe(0);
  });
});

describe("FTP's control connection", () => {
  const passive = (port: number): string => `227 Entering Passive Mode (10,1,0,11,100,${port})\r\n`;

  it('is not ended for what its next reply names', () => {
    const session = new Session({ options: { evict: 'established', ...small(2) } }).open();
    for (const port of [1, 2]) session.reply('PASV\r\n', passive(port));
    expect(
      session.director.connections(0).some(({ virtualPort, state }) => virtualPort === 21 && state === 'ESTABLISHED'),
    ).toBe(true);
    expectWhole(session.director);
  });

  it('begins anew when what it controls makes room', () => {
    const session = new Session({ options: { evict: 'datagram', ...small(2) } }).open();
    session.reply('PASV\r\n', passive(1));
    session.toServer({ sport: 5555, dport: 25_601, flags: SYN });
    session.toServer({ flags: FIN | ACK });
    session.toClient({ flags: FIN | ACK });
    session.toServer({ flags: SYN, seq: 9 });
    expectWhole(session.director);
  });

  it('names port 0 again when that connection is due', () => {
    const session = new Session({}).open();
    session.now = 10;
    session.toServer({ text: 'PORT 10,0,0,2,0,0\r\n' });
    session.now = 120_015;
    session.toServer({ seq: CLIENT_ISN + 19, text: 'PORT 10,0,0,2,0,0\r\n' });
    expectWhole(session.director);
  });

  it('that is established stays when its half-open connection makes room for a stranger', () => {
    const session = new Session({ options: { evict: 'half-open', ...small(2) } }).open();
    session.reply('PASV\r\n', passive(1));
    session.toServer({ sport: 5555, dport: 25_601, flags: SYN });
    session.toServer({ source: '10.9.0.9', sport: 777, flags: SYN });
    expect(listed(session.director)).toEqual(
      expect.arrayContaining([expect.stringMatching(/ 21 ESTABLISHED$/), '777 21 SYN_RECV']),
    );
    expectWhole(session.director);
  });
});

it.each(EVICT_NAMES)('a director with evict %s can be restored', (evict) => {
  expectWhole(lab([NAT], { evict }));
});
