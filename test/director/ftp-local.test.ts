/** FTP's helper for a client that is the director itself: what it gets is whole, whatever length the reply has by then. */
import { describe, expect, it } from 'vitest';
import { BINARIES } from '../support/core.js';
import { left, Session, segment } from '../support/ftp.js';
import { fromServer, SERVERS, VIP } from '../support/lab.js';
import { ACK, SYN, toHex } from '../support/packets.js';

const SELF = '10.0.0.1';

describe.each(BINARIES)('%s', (binary) => {
  it.each([
    ['longer', '227 Entering Passive Mode (1,1,1,1,1,1)\r\n'],
    ['shorter', '227 Entering Passive Mode (0010,0001,0000,00011,0100,0001)\r\n'],
    ['as long', '227 Entering Passive Mode (10,1,0,111,1,1)\r\n'],
  ])('a reply that becomes %s', (_, text) => {
    const { director } = new Session({ binary });
    const ask = (words: object) =>
      director.send(segment({ source: SELF, destination: VIP, sport: 37_000, dport: 21, ...words }), 'lo', 0);
    const answer = (words: object) =>
      director.send(
        fromServer(segment({ source: SERVERS[0], destination: SELF, sport: 21, dport: 37_000, ...words })),
        'srv',
        0,
      );
    ask({ flags: SYN, seq: 999 });
    answer({ flags: SYN | ACK, seq: 4999, ack: 1000 });
    ask({ seq: 1000, ack: 5000 });
    ask({ seq: 1000, ack: 5000, text: 'PASV\r\n' });
    const [outcome] = answer({ seq: 5000, ack: 1006, text });
    expect([outcome?.verdict, outcome?.reason]).toEqual(['local', 'local-client']);
    const whole = fromServer(segment({ source: SERVERS[0], destination: SELF, sport: 21, dport: 37_000 }));
    expect(toHex(outcome!.frame.subarray(0, 14))).toBe(toHex(whole.subarray(0, 14)));
    const got = left([{ ...outcome!, verdict: 'forward' }]);
    expect(got).toMatchObject({ source: VIP, right: true, seq: 5000 });
    expect(got).toMatchObject({
      text: expect.stringMatching(/^227 Entering Passive Mode \(10,0,0,100,\d+,\d+\)\r\n$/),
    });
  });
});
