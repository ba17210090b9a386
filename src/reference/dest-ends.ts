/**
 * Dests by where they are: who sends from there, and what is in tunnels to there.
 *
 * @module
 */
import type { Address } from './packet/address.js';
import type { Dest, Tunnel } from './services.js';
import type { ReferenceConnectionProtocol } from './types.js';

/** What decides where a dest is found. */
type Way = Pick<Dest, 'method' | 'tunnel'>;

/** The dests that are in the lists of their services. */
export class DestEnds {
  /** Of the method `tun`; first the one that was given its tunnel last. */
  #tunnels: Dest[] = [];
  /** The same for the method `nat`. */
  #translated: Dest[] = [];

  /** The dest by NAT at `address`:`port`; of several the one that was last given the method. */
  nat(protocol: ReferenceConnectionProtocol, address: Address, port: number): Dest | undefined {
    return this.#translated.find((dest) => {
      const { end } = dest.service;
      return ('fwmark' in end || end.protocol === protocol) && dest.address === address && dest.port === port;
    });
  }

  /** What kind of tunnel leads to `address`, and to that UDP port (0 but for GUE): of several the one that was given last. */
  tunnelTo(address: Address, port: number): Tunnel['type'] | undefined {
    return this.#tunnels.find((dest) => dest.address === address && dest.tunnel.port === port)?.tunnel.type;
  }

  /** A dest was added or edited. `before`: how it was in its list; `undefined`: it was in none. */
  note(dest: Dest, before: Way | undefined): void {
    const { type, port } = dest.tunnel;
    const isSame = before?.method === dest.method && before.tunnel.type === type && before.tunnel.port === port;
    if (isSame) return;
    this.forget(dest);
    if (dest.method === 'tun') this.#tunnels.unshift(dest);
    if (dest.method === 'nat') this.#translated.unshift(dest);
  }

  /** It was deleted. */
  forget(dest: Dest): void {
    this.#tunnels = this.#tunnels.filter((each) => each !== dest);
    this.#translated = this.#translated.filter((each) => each !== dest);
  }
}
