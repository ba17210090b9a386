/** UOA: on which datagrams it is, in which form, and what is done without room. */
import { describe, expect, it } from 'vitest';
import type { Director, Outcome } from '../../src/director.js';
import { decodeClient } from '../../src/toa/index.js';
import type { CarryName, NetworkConfig } from '../../src/types.js';
import {
  answer,
  CPORT,
  ENDS,
  type Family,
  FULLNAT_NETWORK,
  fullNat,
  NOW,
  portOf,
  request,
  restored,
  type Says,
  send,
} from '../support/fullnat.js';
import { checksum, counting, hex, pseudoHeader, toHex } from '../support/packets.js';

const UOA = { 4: '1f089c410a000002', 6: `1f149c41fd00${'00'.repeat(13)}02` };

const ask = (director: Director, family: Family, says: Says = {}): Outcome[] =>
  director.send(request(family, { protocol: 'udp', payload: counting(11), ...says }), 'cli', NOW);

/** What stands between the fixed IP header and UDP's, and whether UDP's checksum is right. */
function between(frame: Uint8Array, family: Family) {
  const front = family === 6 ? 40 : 20;
  const protocol = frame[family === 6 ? 6 : 9]!;
  const ihl = family === 6 ? 40 : (frame[0]! & 15) * 4;
  const udp = protocol === 248 ? ihl + ((frame[ihl + 2]! << 8) | frame[ihl + 3]!) : ihl;
  const { local, server } = ENDS[family];
  const datagram = frame.subarray(udp);
  const covered = [...pseudoHeader({ source: local, destination: server }, 17, datagram.length), ...datagram];
  const isRight = checksum(Uint8Array.from(covered)) === 0 && (family === 6 || checksum(frame.subarray(0, ihl)) === 0);
  return { protocol, words: toHex(frame.subarray(front, udp)), data: toHex(frame.subarray(udp + 8)), isRight };
}

const narrow: NetworkConfig = {
  ...FULLNAT_NETWORK,
  interfaces: FULLNAT_NETWORK.interfaces.map((each) => (each.name === 'srv' ? { ...each, mtu: 1280 } : each)),
};

describe.each([
  ['uoa-option', 4, 17, UOA[4]],
  ['uoa-protocol', 4, 248, `1011000c${UOA[4]}`],
  ['uoa-protocol', 6, 248, `20110018${UOA[6]}`],
] as const)('%s over IPv%i', (carry: CarryName, family: Family, protocol, words) => {
  const made = (options = {}) => fullNat({ carry }, options, ['udp'], [family]);
  const data = toHex(counting(11));

  it('names the client in its first three datagrams, and our decoder reads it', () => {
    const director = made();
    for (let i = 0; i < 3; i++) {
      const { frame } = ask(director, family)[0]!;
      expect(between(frame, family)).toEqual({ protocol, words, data, isRight: true });
      expect(decodeClient(frame, 'raw')).toMatchObject({ carrier: carry, address: ENDS[family].client, port: CPORT });
    }
    expect(between(ask(director, family)[0]!.frame, family)).toEqual({ protocol: 17, words: '', data, isRight: true });
  });

  it('counts on in a restored director', () => {
    const director = made();
    for (let i = 0; i < 2; i++) ask(director, family);
    const copy = restored(director);
    expect([0, 1].map(() => between(ask(copy, family)[0]!.frame, family).words)).toEqual([words, '']);
  });

  it('ends when the server has answered', () => {
    const director = made();
    ask(director, family);
    send(director, answer(family, portOf(director), { protocol: 'udp' }), 'srv');
    expect(between(ask(director, family)[0]!.frame, family)).toMatchObject({ protocol: 17, words: '' });
  });

  it('goes ahead in a datagram of its own where the first one is too long', () => {
    const director = made({ network: narrow });
    const payload = counting(1280 - (family === 6 ? 48 : 28) - 3);
    const outcomes = ask(director, family, { payload, df: true });
    expect(outcomes.map(({ reason }) => reason)).toEqual(['client-address', 'fullnat-in']);
    const [own, given] = outcomes.map(({ frame }) => between(frame, family));
    expect(own).toEqual({ protocol, words, data: '', isRight: true });
    expect(given).toEqual({ protocol: 17, words: '', data: toHex(payload), isRight: true });
    expect(outcomes.map(({ frame }) => frame[family === 6 ? 7 : 8])).toEqual([63, 63]);
  });

  if (family === 4) {
    it('is cut with a datagram of IPv4 that may be', () => {
      const outcomes = ask(made({ network: narrow }), family, { payload: counting(1280 - 28 - 3), df: false });
      expect(outcomes.map(({ reason }) => reason)).toEqual(['fullnat-in', 'fragment']);
      expect(between(outcomes[0]!.frame, family)).toMatchObject({ protocol, words });
    });
  }
});

it.each(['alibaba', 'dpvs'] as const)(
  'uoa-protocol of the profile %s: without a checksum over IPv4, with one over IPv6',
  (profile) => {
    const checksumOf = (family: Family, isAhead: boolean) => {
      const options = isAhead ? { network: narrow } : {};
      const director = fullNat({ carry: 'uoa-protocol', profile }, options, ['udp'], [family]);
      const payload = counting(isAhead ? 1280 - (family === 6 ? 48 : 28) - 3 : 11);
      const [{ frame, reason }] = ask(director, family, { payload, df: true }) as [Outcome];
      expect(reason).toBe(isAhead ? 'client-address' : 'fullnat-in');
      const { isRight } = between(frame, family);
      const udp = family === 6 ? 40 + 24 : 20 + 12;
      return { isRight, isNone: frame[udp + 6] === 0 && frame[udp + 7] === 0 };
    };
    for (const isAhead of [false, true]) {
      expect(checksumOf(4, isAhead)).toMatchObject({ isNone: true });
      expect(checksumOf(6, isAhead)).toEqual({ isRight: true, isNone: false });
    }
  },
);

describe('uoa-option', () => {
  it('stands in front of options that are there, and goes ahead when they leave no room', () => {
    const director = fullNat({ carry: 'uoa-option' }, {}, ['udp'], [4]);
    const nops = (count: number) => new Uint8Array(count).fill(1);
    expect(between(ask(director, 4, { options: nops(32) })[0]!.frame, 4).words).toBe(UOA[4] + '01'.repeat(32));
    const outcomes = ask(director, 4, { options: nops(36) });
    expect(outcomes.map(({ reason }) => reason)).toEqual(['client-address', 'fullnat-in']);
    const [own, given] = outcomes.map(({ frame }) => between(frame, 4).words);
    expect([own, given]).toEqual([UOA[4], '01'.repeat(36)]);
  });
});

describe('of the client itself', () => {
  it.each(['uoa-option', 'uoa-protocol'] as const)('an option is effaced with %s: nobody names himself', (carry) => {
    const director = fullNat({ carry }, {}, ['udp'], [4]);
    for (let i = 0; i < 5; i++) {
      const { frame } = ask(director, 4, { options: hex('1f08000106060606') })[0]!;
      expect(toHex(frame)).not.toContain('06060606');
      expect(between(frame, 4).isRight).toBe(true);
    }
  });
});

describe('what a service may have', () => {
  it.each([
    ['tcp', 4, 'uoa-option', /expected one that tcp has \(toa, proxy-v1, proxy-v2\), got uoa-option/],
    ['udp', 4, 'toa', /expected one that udp has \(uoa-option, uoa-protocol, proxy-v2\), got toa/],
    ['udp', 4, 'proxy-v1', /got proxy-v1/],
    ['sctp', 4, 'toa', /expected one that sctp has \(none\), got toa/],
    ['udp', 6, 'uoa-option', /expected uoa-protocol or proxy-v2 for IPv6, which has no such option, got uoa-option/],
    ['tcp', 4, 'tao', /carry.*tao/],
  ] as const)('of %s over IPv%i: not %s', (protocol, family, carry, reason) => {
    expect(() => fullNat({ carry: carry as CarryName }, {}, [protocol], [family])).toThrow(reason);
  });

  it.each(['toa', 'proxy-v1', 'proxy-v2', 'uoa-option', 'uoa-protocol'] as const)(
    'by firewall mark: %s, for the packets that can have it',
    (carry) => {
      const director = fullNat({}, {}, []);
      const key = { fwmark: 7 } as const;
      director.addService({ ...key, carry, localAddresses: ['10.1.0.1'] });
      director.addDest(key, { address: '10.1.0.11', method: 'fullnat' });
      expect(director.services()[0]).toMatchObject({ carry });
      for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
        const { reason } = director.send(request(4, { protocol }), 'cli', NOW, { mark: 7 })[0]!;
        expect(reason).toBe('fullnat-in');
      }
    },
  );
});
