/**
 * Clients that open connections, each with a SYN from a tuple of its own, at a rate at which the table is never full: each
 * connection ends by its timeout, a minute later.
 *
 * @module
 */
import { Director, type SchedulerName } from 'ipvs-wasm';
import { SYN_FLAG } from '../frames.js';
import { type Contender, inProcess } from '../harness.js';
import { CLI_INTERFACE, NETWORK, openingFrame, ROUTER, SERVICE_PORT, SRV, VIP } from '../scenario.js';

const BURST = 256;
/** Seconds for which a half-open connection lives. */
const LIFE = 60;
const SOURCE = 26;
const SPORT = 34;
const IP_CHECKSUM = 24;

/** Source addresses and ports, as they stand in frames. */
export interface Keys {
  readonly addresses: Uint32Array;
  readonly ports: Uint16Array;
}

/** A service with so many servers of different weights. */
export function scheduled(scheduler: SchedulerName, dests: number, connections: number): Director {
  const schedulerBytes = 1 << 22;
  const addresses = Array.from({ length: dests }, (_, i) => `10.1.${16 + (i >> 8)}.${i & 255}`);
  const network = {
    ...NETWORK,
    routes: [...NETWORK.routes!, { dst: '10.1.0.0/16', dev: 'srv' }],
    neighbours: [ROUTER, ...addresses.map((dst) => ({ dst, dev: 'srv', lladdr: SRV.mac }))],
  };
  const plan = { connections, connections6: 1, dests: dests + 8, neighbours: dests + 8, schedulerBytes };
  const director = Director.createSync({ network, plan, seed: 1n });
  const service = { protocol: 'tcp', address: VIP, port: SERVICE_PORT, scheduler } as const;
  const added = addresses.map((address, i) => ({
    address,
    method: 'nat' as const,
    // What ovf sends on must not overflow.
    weight: scheduler === 'ovf' ? 65_535 : 1 + (i % 4),
  }));
  director.replaceRules([{ service, added }]);
  return director;
}

/** Opens connections, `living` of them at a time. */
export function opener(name: string, director: Director, keys: Keys, living: number): Contender {
  const { burst } = director;
  const template = openingFrame(0, SYN_FLAG);
  const view = new DataView(template.buffer, template.byteOffset, template.byteLength);
  // The checksum without the source address, to which each key's is added.
  const [old, whole] = [view.getUint32(SOURCE), view.getUint16(IP_CHECKSUM)];
  const rest = (~whole & 0xffff) + 0x1fffe - (old >>> 16) - (old & 0xffff);
  const step = (LIFE * 1000 * BURST) / living;
  let next = 0;
  let now = 1000;
  const fill = (): void => {
    burst.reset();
    for (let i = 0; i < BURST; i++) {
      const address = keys.addresses[next]!;
      let sum = rest + (address >>> 16) + (address & 0xffff);
      sum = (sum & 0xffff) + (sum >>> 16);
      sum = (sum & 0xffff) + (sum >>> 16);
      view.setUint32(SOURCE, address);
      view.setUint16(SPORT, keys.ports[next]!);
      view.setUint16(IP_CHECKSUM, ~sum);
      burst.bytes.set(template, burst.reserveAt(template.length, CLI_INTERFACE));
      burst.commit(template.length);
      next = next + 1 === keys.addresses.length ? 0 : next + 1;
    }
  };
  let given = 0;
  const open = (): void => {
    fill();
    now += step;
    given += BURST;
    director.process(now);
  };
  const contender = inProcess(name, BURST, open, () => {
    // The keys that it lays out are still to call.
    const kept = next;
    fill();
    next = kept;
  });
  return {
    name,
    measure(seconds) {
      const before = director.total().stats.connections;
      given = 0;
      const sample = contender.measure(seconds);
      const made = Number(director.total().stats.connections - before);
      if (made < given * 0.999) throw new Error(`${name}: expected ${given} connections, got ${made}`);
      return sample;
    },
  };
}
