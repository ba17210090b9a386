/**
 * The ECN field at the ends of tunnels (RFC 3168 §9.1.1, RFC 6040).
 *
 * @module
 */

/** How the ECN field gets into the outer header, see {@link encapsulatedEcn}. */
export type EcnMode = 'kernel' | 'rfc6040' | 'copy';

const ECN = { notEct: 0, ect1: 1, ect0: 2, ce: 3 } as const;

/**
 * The ECN field of the outer header. `kernel`: RFC 3168 §9.1.1, full functionality: the inner one, but a CE mark is not
 * shown outside and becomes ECT(0). `rfc6040`: compatibility mode (RFC 6040 §4.1), Not-ECT. `copy`: normal mode.
 */
export function encapsulatedEcn(inner: number, mode: EcnMode): number {
  if (mode === 'rfc6040') return ECN.notEct;
  return mode === 'kernel' && inner === ECN.ce ? ECN.ect0 : inner;
}

/** The ECN field that leaves a tunnel, or `undefined` for "drop" (RFC 6040 §4.2, figure 4). */
export function decapsulatedEcn(inner: number, outer: number): number | undefined {
  if (inner === ECN.notEct) return outer === ECN.ce ? undefined : ECN.notEct;
  if (outer === ECN.ce) return ECN.ce;
  if (inner === ECN.ect0 && outer === ECN.ect1) return ECN.ect1;
  return inner;
}
