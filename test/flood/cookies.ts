/**
 * A SYN flood against a service behind a SYN proxy, in simulated time: SYNs from random sources, and clients among them that mean it.
 *
 * @module
 */
import { Reason, Verdict } from '../../src/abi/verdict.js';
import type { DirectorOptions } from '../../src/director.js';
import { Random } from '../kernel-lab/random.js';
import { ACK, SYN, Wire } from './wire.js';

export interface ProxySiege {
  /** Room of the table. */
  readonly connections: number;
  readonly syns: number;
  /** SYNs in a millisecond. */
  readonly rate: number;
  /** Milliseconds between two clients that come. */
  readonly newcomerEvery: number;
  readonly seed: number;
  readonly wasm?: DirectorOptions['wasm'];
}

export interface ProxyToll {
  /** SYNs that were answered as they should be, of all. */
  readonly answered: number;
  readonly syns: number;
  /** Clients that are established, with their servers, of those that came. */
  readonly gotIn: number;
  readonly newcomers: number;
  /** Connections that are not theirs, at most. */
  readonly foreign: number;
}

const NEWCOMERS = 0xc613_0000;
const PORT = 40_000;

/** Lets it come over a director. */
export function besiegeProxy({ connections, syns, rate, newcomerEvery, seed, wasm }: ProxySiege): ProxyToll {
  const plan = { connections, connections6: 1, extensions: connections, arenaBytes: 1 << 18 };
  const wire = new Wire({ plan, seed: BigInt(seed), ...(wasm !== undefined && { wasm }) }, true);
  const random = new Random(seed);
  const inside = new Set<number>();
  let newcomers = 0;
  let foreign = 0;
  let answered = 0;

  const arrive = (): void => {
    const client = NEWCOMERS + newcomers++;
    const number = random.below(2 ** 32);
    const next = (number + 1) >>> 0;
    wire.segment(0, { client, port: PORT, flags: SYN, number, acknowledged: 0 }, (cookie) => {
      wire.segment(
        0,
        { client, port: PORT, flags: ACK, number: next, acknowledged: (cookie.number + 1) >>> 0 },
        (syn) => {
          const reply = {
            client,
            server: syn.to,
            port: PORT,
            flags: SYN | ACK,
            number: 7,
            acknowledged: (syn.number + 1) >>> 0,
          };
          wire.segment(1, reply, (third) => {
            if (third.acknowledged === 8 && third.number === next) inside.add(client);
          });
        },
      );
    });
  };

  const milliseconds = Math.ceil(syns / rate);
  let left = syns;
  for (let now = 1; now <= milliseconds; now++) {
    wire.at(now);
    if (now % newcomerEvery === 0) arrive();
    for (let i = 0; i < rate && left > 0; i++, left--) {
      const client = ((11 + random.below(100)) << 24) | random.below(1 << 24);
      const number = random.below(2 ** 32);
      wire.segment(0, { client, port: 1024 + random.below(60_000), flags: SYN, number, acknowledged: 0 }, (answer) => {
        const isRight =
          answer.verdict === Verdict.Forward &&
          answer.reason === Reason.SynCookie &&
          answer.to === client >>> 0 &&
          answer.flags === (SYN | ACK) &&
          answer.acknowledged === (number + 1) >>> 0 &&
          answer.isIntact;
        if (isRight) answered++;
      });
    }
    if (now % 1000 === 0) {
      wire.flush();
      foreign = Math.max(foreign, wire.director.connectionCount - newcomers);
    }
  }
  for (let i = 0; i < 4; i++) wire.flush();
  foreign = Math.max(foreign, wire.director.connectionCount - inside.size);
  return { answered, syns, gotIn: inside.size, newcomers, foreign };
}
