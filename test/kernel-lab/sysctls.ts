/**
 * How the guest's host stack is set: a director, no limits on ICMP, and as little as possible that it says by itself.
 *
 * @module
 */

/** Of the whole guest, below `/proc/sys`. */
export const INITIAL_SYSCTLS: readonly (readonly [string, number | string])[] = [
  // Of what a packet without a route is answered with.
  ['net/ipv4/route/error_cost', 0],
  ['net/core/netdev_max_backlog', 10_000],
];

/** Of each network namespace. */
export const SYSCTLS: readonly (readonly [string, number | string])[] = [
  ['net/ipv4/ip_forward', 1],
  ['net/ipv4/icmp_ratelimit', 0],
  ['net/ipv4/icmp_ratemask', 0],
  ['net/ipv6/icmp/ratelimit', 0],
  // No type is limited: after icmp_msgs_burst of them at once the next one would be left out.
  ['net/ipv6/icmp/ratemask', ''],
  ['net/ipv6/conf/all/forwarding', 1],
  ...['all', 'default'].flatMap((name): [string, number][] => [
    [`net/ipv4/conf/${name}/rp_filter`, 0],
    [`net/ipv4/conf/${name}/send_redirects`, 0],
    [`net/ipv6/conf/${name}/accept_ra`, 0],
    [`net/ipv6/conf/${name}/accept_dad`, 0],
    [`net/ipv6/conf/${name}/dad_transmits`, 0],
    // No link-local address is made up.
    [`net/ipv6/conf/${name}/addr_gen_mode`, 1],
  ]),
];

/** The command that sets one. */
export function setSysctl([path, value]: readonly [string, number | string]): string {
  return `echo '${value}' >/proc/sys/${path}`;
}
