/**
 * What routers said about the MTU of paths over IPv4 (RFC 1191), kept as Linux keeps it.
 *
 * @module
 */
import type { Address } from './packet/address.js';

/** Nobody is believed who says less: then this is the MTU, and stays so until it is forgotten. */
const SMALLEST = 552;

/** Milliseconds after which it is forgotten. */
const LIFETIME = 600_000;

/** What is known about the way to one address. */
export interface Path {
  mtu: number;
  /** Nothing changes it before it is forgotten. */
  fixed: boolean;
  /** Milliseconds since the Unix epoch. */
  expiresAt: number;
}

/** What is known, by address. */
export class PathMtus {
  readonly #paths = new Map<Address, Path>();

  /** The way to `address`, if anything is known about it at `now`. */
  get(address: Address, now: number): Path | undefined {
    const path = this.#paths.get(address);
    if (path === undefined || now < path.expiresAt) return path;
    this.#paths.delete(address);
    return undefined;
  }

  /** A router said at `now` that only `said` bytes go to `address`; `own` is the MTU of the interface on the way. */
  learn(address: Address, said: number, own: number, now: number): void {
    const known = this.get(address, now);
    const old = Math.min(known?.mtu ?? own, own);
    if (known?.fixed === true || old < said) return;
    const fixed = said < SMALLEST;
    const mtu = fixed ? Math.min(old, SMALLEST) : said;
    if (known?.mtu === mtu && !fixed && now < known.expiresAt - LIFETIME / 2) return;
    // The same object, for those who hold it.
    this.#paths.set(address, Object.assign(known ?? { mtu, fixed }, { mtu, fixed, expiresAt: now + LIFETIME }));
  }
}
