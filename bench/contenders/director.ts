/**
 * Directors with a scenario's connections established.
 *
 * @module
 */
import { type DestConfig, Director, type ServiceConfig, type ServiceKey } from 'ipvs-wasm';
import { ACK_FLAG, SYN_FLAG } from '../frames.js';
import {
  type AnyMode,
  answeringFrame,
  CLI_INTERFACE,
  carryOf,
  localsOf,
  type MarkedArrival,
  markOf,
  methodOf,
  NETWORK,
  openingFrame,
  type Scenario,
  SERVICE_PORT,
  servers,
  tunnelOf,
  vipOf,
} from '../scenario.js';

const PAGE = 65_536;
/** Bytes of arena for bursts and answers, and of memory for everything but connections and arena. */
const BURST_BYTES = 1 << 20;
const OTHER_BYTES = 8 << 20;
/** At most, with the share of the index. */
const CONNECTION_BYTES = 160;
const EXTENSION_BYTES = 64;
/** Of a local address, with its ports. */
const LOCAL_BYTES = 2.1 * (1 << 20);

/** What the library's director and the reference have in common. */
interface Configurable {
  addService(service: ServiceConfig): void;
  addDest(service: ServiceKey, dest: DestConfig): void;
}

/** Adds the scenario's service and servers. */
export function configure(director: Configurable, { mode }: Scenario<AnyMode>): void {
  const { opening: fwmark } = markOf(mode);
  if (fwmark !== 0) {
    director.addService({ fwmark, scheduler: 'rr' });
    for (const address of localsOf(mode)) director.addDest({ fwmark }, { address, method: 'snat' });
    return;
  }
  const service = { protocol: 'tcp', address: vipOf(mode), port: SERVICE_PORT } as const;
  const tunnel = tunnelOf(mode);
  const carry = carryOf(mode);
  const told = carry === undefined ? {} : { carry };
  director.addService({ ...service, scheduler: 'rr', localAddresses: localsOf(mode), ...told });
  for (const server of servers(mode)) {
    director.addDest(service, { ...server, method: methodOf(mode), ...(tunnel === undefined ? {} : { tunnel }) });
  }
}

/** The frames that establish all connections: every SYN, of SNAT every answer, then every ACK. */
export function* openingFrames({ connections, mode }: Scenario<AnyMode>): Generator<MarkedArrival> {
  const { opening: mark } = markOf(mode);
  for (const flags of [SYN_FLAG, ACK_FLAG]) {
    for (let n = 0; n < connections; n++) {
      yield { frame: openingFrame(n, flags, 'tcp', mode), interface: CLI_INTERFACE, mark };
    }
    // Its clients' packets go the short way from there on.
    const answered = mark !== 0 && flags === SYN_FLAG ? connections : 0;
    for (let n = 0; n < answered; n++) yield answeringFrame(n);
  }
}

/**
 * A director of the library, and `bytes` of its arena from `held` on that are the host's.
 *
 * Its burst is empty.
 */
export function establishedDirector(scenario: Scenario<AnyMode>, bytes: number) {
  const { connections } = scenario;
  const arenaBytes = bytes + BURST_BYTES;
  const locals = localsOf(scenario.mode).length;
  const extensions = locals > 0 ? connections : 1;
  const bytesOf = connections * CONNECTION_BYTES + extensions * EXTENSION_BYTES + locals * LOCAL_BYTES;
  const pages = Math.ceil((bytesOf + arenaBytes + OTHER_BYTES) / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const director = Director.createSync({
    network: NETWORK,
    plan: {
      ...(vipOf(scenario.mode).includes(':')
        ? { connections: 1, connections6: connections }
        : { connections, connections6: 1 }),
      arenaBytes,
      extensions,
      localAddresses: locals,
    },
    seed: 0x0f0e0d0c0b0a09080706050403020100n,
    memory,
  });
  configure(director, scenario);
  const { burst } = director;
  const flush = (): void => {
    director.process(0);
    burst.reset();
  };
  for (const { frame, interface: inside, mark } of openingFrames(scenario)) {
    if (burst.full) flush();
    burst.reserve(frame.length, inside).set(frame);
    burst.commit(frame.length, 0, mark);
  }
  flush();
  if (director.connectionCount !== connections) {
    throw new Error(`expected ${connections} connections, got ${director.connectionCount}`);
  }
  return { director, memory, held: burst.hold(bytes) };
}
