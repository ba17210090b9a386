/**
 * Who there is: the director's addresses, clients and servers, in both families.
 *
 * @module
 */

export type Family = 4 | 6;

export const MAC = {
  cli: '02:00:00:00:00:01',
  trunk: '02:00:00:00:01:00',
  srv: '02:00:00:00:01:01',
  client: '02:00:00:00:00:02',
  server: '02:00:00:00:01:11',
  gateway: '02:00:00:00:00:fe',
} as const;

export interface Hosts {
  /** The director's addresses on both sides. */
  readonly own: string;
  readonly inside: string;
  readonly vips: readonly [string, string];
  /** Two of the director's own, one of the client side, and one that is routed to it. */
  readonly locals: readonly string[];
  /** Neighbours first, one behind a router, then one that has a way only by default, and one without a MAC. */
  readonly clients: readonly string[];
  /** Four good ones, one behind a router, one on the client side, one by default, one without a MAC, the director itself. */
  readonly servers: readonly string[];
  /** Routers in between, which have errors to report. */
  readonly routers: readonly string[];
  /** Addresses that no packet should come from, or go to. */
  readonly odd: readonly string[];
}

export const HOSTS: Readonly<Record<Family, Hosts>> = {
  4: {
    own: '10.0.0.1',
    inside: '10.1.0.1',
    vips: ['10.0.0.100', '10.0.0.101'],
    locals: ['10.1.0.1', '10.1.0.2', '10.0.0.1', '10.2.0.99'],
    clients: ['10.0.0.2', '10.0.0.3', '10.9.1.1', '198.51.100.7', '10.0.0.77'],
    servers: [
      ...['10.1.0.11', '10.1.0.12', '10.1.0.13', '10.1.0.14', '10.2.0.5'],
      ...['10.0.0.3', '203.0.113.5', '10.1.0.99', '10.1.0.1', '127.0.0.1'],
    ],
    routers: ['10.0.0.254', '10.1.0.254', '192.0.2.1'],
    odd: ['127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.5', '10.0.0.255', '10.0.0.100', '10.1.0.77', '240.0.0.1'],
  },
  6: {
    own: 'fd00::1',
    inside: 'fd00:1::1',
    vips: ['fd00::100', 'fd00::101'],
    locals: ['fd00:1::1', 'fd00:1::2', 'fd00::1', 'fd00:2::99'],
    clients: ['fd00::2', 'fd00::3', 'fd00:9::1', '2001:db8:7::7', 'fd00::77'],
    servers: [
      ...['fd00:1::11', 'fd00:1::12', 'fd00:1::13', 'fd00:1::14', 'fd00:2::5'],
      ...['fd00::3', '2001:db8:8::5', 'fd00:1::99', 'fd00:1::1', '::1'],
    ],
    routers: ['fd00::fe', 'fd00:1::fe', '2001:db8:9::1'],
    odd: ['::1', 'ff02::1', 'ff05::2', 'fd00::100', 'fd00:1::77', 'fec0::1'],
  },
};

/** The servers that everything works with. */
export const GOOD_SERVERS = 5;

/** UDP port of GUE, towards servers and towards the director. */
export const GUE_PORT = 6080;

export const familyOf = (address: string): Family => (address.includes(':') ? 6 : 4);
