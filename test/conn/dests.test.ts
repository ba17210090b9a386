/** What connections do to their dests: thresholds and overload, and the trash where deleted dests wait. */
import { describe, expect, it } from 'vitest';
import { Director } from '../../src/director.js';
import { BINARIES, memoryFor, moduleOf } from '../support/core.js';
import {
  CLIENT,
  fromClient,
  fromServer,
  judged,
  lab,
  NETWORK,
  request,
  SERVERS,
  serverOf,
  TCP_KEY,
  UDP_KEY,
  VIP,
} from '../support/lab.js';
import { ACK, RST, SYN, tcp } from '../support/packets.js';

const [A, B] = SERVERS;
const udpFrom = (sport: number): Uint8Array => fromClient(request('udp', { sport }));
const syn = (sport: number, flags = SYN): Uint8Array => fromClient(request('tcp', { sport, flags }));

describe.each(BINARIES)('%s', (binary) => {
  describe('thresholds', () => {
    it('close a dest at the upper one and open it below the lower one', () => {
      const director = lab([{ address: A, method: 'nat', upperThreshold: 3, lowerThreshold: 2 }], { binary });
      for (let i = 0; i < 3; i++) expect(serverOf(director.send(udpFrom(i + 1), 'cli', i * 10_000))).toBe(11);
      expect(serverOf(director.send(udpFrom(4), 'cli', 30_000))).toBe('no-dest');
      // One of three gone: still two, which is not below two.
      expect(serverOf(director.send(udpFrom(4), 'cli', 301_000))).toBe('no-dest');
      expect(serverOf(director.send(udpFrom(4), 'cli', 311_000))).toBe(11);
    });

    it('without a lower one: below three quarters of the upper one', () => {
      const director = lab([{ address: A, method: 'nat', upperThreshold: 4 }], { binary });
      for (let i = 0; i < 4; i++) director.send(udpFrom(i + 1), 'cli', i * 10_000);
      expect(serverOf(director.send(udpFrom(5), 'cli', 301_000)), 'three of four').toBe('no-dest');
      expect(serverOf(director.send(udpFrom(5), 'cli', 311_000)), 'two of four').toBe(11);
    });

    it('are lifted and raised at once, but not lowered', () => {
      const director = lab([{ address: A, method: 'nat', upperThreshold: 1 }], { binary });
      director.send(udpFrom(1), 'cli', 0);
      expect(serverOf(director.send(udpFrom(2), 'cli', 0))).toBe('no-dest');
      director.editDest(UDP_KEY, { address: A, method: 'nat', upperThreshold: 1, lowerThreshold: 5 });
      expect(serverOf(director.send(udpFrom(2), 'cli', 0))).toBe('no-dest');
      director.editDest(UDP_KEY, { address: A, method: 'nat', upperThreshold: 2 });
      expect(serverOf(director.send(udpFrom(2), 'cli', 0))).toBe(11);
      expect(serverOf(director.send(udpFrom(3), 'cli', 0))).toBe('no-dest');
      director.editDest(UDP_KEY, { address: A, method: 'nat' });
      expect(serverOf(director.send(udpFrom(3), 'cli', 0))).toBe(11);
    });

    it('count active and inactive connections together', () => {
      const director = lab([{ address: A, method: 'nat', upperThreshold: 2 }], { binary });
      director.send(syn(1), 'cli', 0);
      director.send(syn(2), 'cli', 0);
      director.send(syn(2, RST), 'cli', 0);
      expect(serverOf(director.send(syn(3), 'cli', 0))).toBe('no-dest');
    });
  });

  describe('a deleted dest', () => {
    it('drops the packets of its connections until it is back, with its counts', () => {
      const director = lab([{ address: A, method: 'nat' }], { binary });
      director.send(syn(1), 'cli', 0);
      director.send(syn(1, ACK), 'cli', 0);
      director.send(syn(2), 'cli', 0);
      director.deleteDest(TCP_KEY, { address: A });
      expect(judged(director.send(syn(1, ACK), 'cli', 0))).toEqual(['drop dest-unavailable']);
      expect(serverOf(director.send(syn(3), 'cli', 0))).toBe('no-dest');
      director.addDest(TCP_KEY, { address: A, method: 'nat' });
      const dests = director.services().find(({ protocol }) => protocol === 'tcp')?.dests;
      expect(dests).toMatchObject([{ activeConnections: 2, inactiveConnections: 0, stats: { connections: 2n } }]);
      expect(serverOf(director.send(syn(1, ACK), 'cli', 0))).toBe(11);
    });

    it('is still overloaded when it is back', () => {
      const limited = { address: A, method: 'nat', upperThreshold: 1 } as const;
      const director = lab([limited], { binary });
      director.send(syn(1), 'cli', 0);
      director.deleteDest(TCP_KEY, { address: A });
      director.addDest(TCP_KEY, limited);
      expect(serverOf(director.send(syn(2), 'cli', 0))).toBe('no-dest');
    });

    it('comes back at the head of the list', () => {
      const director = lab(
        [
          { address: A, method: 'nat' },
          { address: B, method: 'nat' },
        ],
        { binary },
      );
      director.send(syn(1), 'cli', 0);
      director.send(syn(2), 'cli', 0);
      director.deleteDest(TCP_KEY, { address: A });
      director.addDest(TCP_KEY, { address: A, method: 'nat' });
      const [service] = director.services().filter(({ protocol }) => protocol === 'tcp');
      expect(service?.dests.map(({ address }) => address)).toEqual([A, B]);
    });

    it('is forgotten with its last connection', () => {
      const director = lab([{ address: A, method: 'nat' }], { binary });
      director.send(syn(1), 'cli', 0);
      director.deleteDest(TCP_KEY, { address: A });
      director.advance(61_000);
      director.addDest(TCP_KEY, { address: A, method: 'nat' });
      const dests = director.services().find(({ protocol }) => protocol === 'tcp')?.dests;
      expect(dests).toMatchObject([{ activeConnections: 0, inactiveConnections: 0, stats: { connections: 0n } }]);
    });

    it('of a deleted service loses its traffic, but not its connections, when both are back', () => {
      const director = lab([{ address: A, method: 'nat' }], { binary });
      director.send(syn(1), 'cli', 0);
      director.deleteService(TCP_KEY);
      expect(judged(director.send(syn(1, ACK), 'cli', 0))).toEqual(['drop dest-unavailable']);
      director.addService({ ...TCP_KEY, scheduler: 'rr' });
      director.addDest(TCP_KEY, { address: A, method: 'nat' });
      const dests = director.services().find(({ protocol }) => protocol === 'tcp')?.dests;
      expect(dests).toMatchObject([{ activeConnections: 1, stats: { connections: 0n, inPackets: 0n } }]);
    });

    it('takes its connections along with expire_nodest_conn: their packets are judged as new ones', () => {
      const director = lab([{ address: A, method: 'nat' }], { binary, sysctl: { expire_nodest_conn: 1 } });
      director.send(syn(1), 'cli', 0);
      director.send(syn(2), 'cli', 0);
      director.deleteDest(TCP_KEY, { address: A });
      expect(director.connections(0)).toEqual([]);
      expect(judged(director.send(syn(1, ACK), 'cli', 0))).toEqual(['local not-opening']);
      director.addDest(TCP_KEY, { address: B, method: 'nat' });
      expect(serverOf(director.send(syn(2), 'cli', 0))).toBe(12);
    });

    it('gives its record to the next', () => {
      const plan = { connections: 4, dests: 2, services: 2, arenaBytes: 65_536 };
      const director = lab([{ address: A, method: 'nat' }], { binary, plan });
      for (let i = 0; i < 20; i++) {
        director.deleteDest(TCP_KEY, { address: A });
        director.addDest(TCP_KEY, { address: A, method: 'nat' });
      }
      expect(director.services().flatMap(({ dests }) => dests)).toHaveLength(2);
      expect(() => director.addDest(TCP_KEY, { address: B })).toThrow(expect.objectContaining({ code: 'TABLE_FULL' }));
    });
  });

  describe('edited to another method', () => {
    const MINE = { address: A, method: 'dr' } as const;
    const edited = (method: 'nat' | 'dr' | 'tun') => {
      const director = lab([MINE], { binary });
      director.send(syn(1), 'cli', 0);
      director.editDest(TCP_KEY, { ...MINE, method });
      return director;
    };
    const fates = (director: Director, ...sports: number[]) =>
      sports.map((sport) => judged(director.send(syn(sport, sport === 1 ? ACK : SYN), 'cli', 0)).join());

    it('is not found by DR once the way to it was looked up for another method', () => {
      expect(fates(edited('nat'), 2, 1)).toEqual(['forward nat-in', 'drop no-neighbour']);
      expect(fates(edited('tun'), 2, 1)).toEqual(['forward tunnel-ipip', 'drop no-neighbour']);
    });

    it('is found by all if DR was first', () => {
      expect(fates(edited('nat'), 1, 2, 1)).toEqual(['forward direct-route', 'forward nat-in', 'forward direct-route']);
    });

    it('sends DR to whoever has the VIP on its link', () => {
      const director = edited('nat');
      const lladdr = '02:00:00:00:01:77';
      director.setNetwork({
        ...NETWORK,
        neighbours: [...(NETWORK.neighbours ?? []), { dst: VIP, dev: 'srv', lladdr }],
      });
      expect(fates(director, 2)).toEqual(['forward nat-in']);
      const [outcome] = director.send(syn(1, ACK), 'cli', 0);
      expect([...(outcome?.frame.subarray(0, 6) ?? [])]).toEqual([2, 0, 0, 0, 1, 0x77]);
    });

    it('is looked up anew after the next edit, and in another network', () => {
      const director = edited('nat');
      expect(fates(director, 2, 1)).toEqual(['forward nat-in', 'drop no-neighbour']);
      director.setNetwork(NETWORK);
      expect(fates(director, 1, 2)).toEqual(['forward direct-route', 'forward nat-in']);
      director.editDest(TCP_KEY, { ...MINE, method: 'nat', weight: 2 });
      expect(fates(director, 3, 1)).toEqual(['forward nat-in', 'drop no-neighbour']);
    });

    it('is the same after a restart', () => {
      const director = edited('nat');
      fates(director, 2);
      const memory = binary === 'shared' ? { memory: memoryFor(binary, 512) } : {};
      const restored = Director.restoreSync(director.snapshot(), { wasm: moduleOf(binary), ...memory });
      expect(fates(restored, 1)).toEqual(['drop no-neighbour']);
    });

    it('behind a gateway, asks the gateway', () => {
      const server = '10.9.0.7';
      const director = lab([{ address: server, method: 'dr' }], { binary });
      director.send(syn(1), 'cli', 0);
      director.editDest(TCP_KEY, { address: server, method: 'nat' });
      expect(fates(director, 2, 1)).toEqual(['forward nat-in', 'forward direct-route']);
    });
  });

  it('two services that share a server: replies belong to the connection made last, then to the one before', () => {
    const director = lab([{ address: A, port: 8080, method: 'nat' }], { binary });
    const other = { protocol: 'tcp', address: '10.0.0.100', port: 81 } as const;
    director.addService({ ...other, scheduler: 'rr' });
    director.addDest(other, { address: A, port: 8080, method: 'nat' });
    const reply = fromServer(tcp({ source: A, destination: CLIENT, sport: 8080, dport: 1, flags: SYN | ACK }));
    const source = (now: number): number => {
      const [outcome] = director.send(reply, 'srv', now);
      return new DataView(outcome?.frame.buffer as ArrayBuffer).getUint16(34);
    };
    director.send(syn(1), 'cli', 0);
    expect(source(0)).toBe(80);
    director.send(fromClient(request('tcp', { sport: 1, dport: 81 })), 'cli', 1000);
    expect(source(1000)).toBe(81);
    director.send(syn(1, ACK), 'cli', 2000);
    expect(source(2000)).toBe(81);
    // The newer one was only kept by its replies: SYN_RECV for a minute. The older one lives on.
    expect(source(62_000)).toBe(80);
  });
});
