/**
 * What was found of a client.
 *
 * @module
 */

/** What can carry the address. */
export const CARRIERS = ['toa', 'uoa-option', 'uoa-protocol', 'proxy-v1', 'proxy-v2'] as const;

/** What carried the address. */
export type Carrier =
  /** A TCP option: kind 254 of 8 bytes, kind 253 or 254 of 20 (alibaba/LVS, DPVS). */
  | 'toa'
  /** An IPv4 option of type 31 (DPVS). */
  | 'uoa-option'
  /** A header of IP protocol 248 in front of the UDP header (DPVS). */
  | 'uoa-protocol'
  /** The PROXY protocol (haproxy's proxy-protocol.txt), text and binary. */
  | 'proxy-v1'
  | 'proxy-v2';

/** A client's address as it was carried. */
export interface CarriedClient {
  readonly carrier: Carrier;
  readonly family: 4 | 6;
  readonly address: string;
  /** 0..65535 */
  readonly port: number;
  /** Where the option or header that carries it begins in the frame, and its length in bytes. */
  readonly start: number;
  readonly length: number;
}
