/**
 * Reasons of the SYN proxy, by segments whose numbers the director gives.
 *
 * @module
 */
import type { Director } from '../../src/director.js';
import { ACK, RST } from '../support/packets.js';
import { acknowledge, ask, left, OFFER, ofClient, ofServer, open, V4 } from '../synproxy/lab.js';
import type { Case } from './cases.js';

/** A case whose frame is known only when the director has answered. */
export type LateCase = Omit<Case, 'frame'> & { frame: (director: Director) => Uint8Array };

const cookieOf = (director: Director): number =>
  left(director.send(ofClient(V4, { options: OFFER }), 'cli', 0))[0]!.seq;

export const CASES_SYNPROXY: Readonly<Record<string, LateCase>> = {
  'a SYN': { expect: ['syn-cookie'], frame: () => ofClient(V4, {}) },
  'an answer to a cookie': {
    expect: ['syn-proxied'],
    frame: (director) => ofClient(V4, acknowledge(cookieOf(director))),
  },
  'an answer to none': { expect: ['bad-cookie'], frame: () => ofClient(V4, { flags: ACK }) },
  'another segment before the server has answered': {
    expect: ['syn-proxy-wait'],
    frame: (director) => ofClient(V4, acknowledge(ask(director, V4, 0))),
  },
  'data before the server has answered': {
    expect: ['syn-proxy-held'],
    frame: (director) => ofClient(V4, acknowledge(ask(director, V4, 0), OFFER, { payload: Uint8Array.of(1) })),
  },
  "a server's SYN-ACK": {
    expect: ['syn-proxy-ack', 'syn-proxy-ack'],
    by: 'srv',
    frame: (director) => {
      ask(director, V4, 0);
      return ofServer(V4, { options: OFFER });
    },
  },
  "a server's SYN-ACK without timestamps": {
    expect: ['syn-proxy-mismatch', 'syn-proxy-reset', 'syn-proxy-reset'],
    by: 'srv',
    frame: (director) => {
      ask(director, V4, 0);
      return ofServer(V4, {});
    },
  },
  "a server's RST": {
    expect: ['syn-proxy-reset'],
    by: 'srv',
    frame: (director) => {
      ask(director, V4, 0);
      return ofServer(V4, { flags: RST | ACK });
    },
  },
  'the same acknowledgment too often': {
    expect: ['ack-storm'],
    frame: (director) => {
      const cookie = open(director, V4, 0);
      const again = ofClient(V4, acknowledge(cookie));
      for (let i = 1; i < 10; i++) director.send(again, 'cli', 0);
      return again;
    },
  },
};
