/**
 * What a kernel sends through its tunnels, taken apart by our director: the guest sends, by IPVS or by a tunnel device, and
 * ours is the real server.
 *
 * @module
 */
import type { Family } from '../../../src/address.js';
import { Director } from '../../../src/director.js';
import { CORE } from '../core.js';
import { ether } from '../generate/bytes.js';
import { networkScript } from '../network.js';
import type { KernelDirector } from '../uml.js';
import { afterHops, COMBINATIONS, type Combination, GUE_PORT, samples, VIP } from './combinations.js';
import { framesOf, sameBytes } from './frames.js';

const SERVER = '02:00:00:00:01:11';
const SERVERS = { 4: '10.1.0.11', 6: 'fd00:1::11' } as const;
const OWN = { 4: '10.1.0.1', 6: 'fd00:1::1' } as const;

const GUEST = networkScript({
  interfaces: [
    { name: 'cli', addresses: [`${VIP[4]}/32`, '10.0.0.1/24', `${VIP[6]}/128`, 'fd00::1/64'] },
    { name: 'srv', addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
  ],
  neighbours: Object.values(SERVERS).map((dst) => ({ dst, dev: 'srv', lladdr: SERVER })),
});

/** A kind of tunnel that a device makes. */
export interface Device {
  readonly name: string;
  readonly inner: Family;
  /** Unique; the end of the address that is routed to it. */
  readonly number: number;
  /** What comes after `ip link add NAME`. */
  readonly words: string;
}

const NUMBER = 100;

/** Debian's kernel has no devices that send GUE (NET_FOU_IP_TUNNELS). */
function devices(): Device[] {
  const ends = (outer: Family) => `local ${OWN[outer]} remote ${SERVERS[outer]}`;
  const found: Omit<Device, 'number'>[] = [];
  for (const inner of [4, 6] as const) {
    const kind = inner === 4 ? 'ipip' : 'sit';
    found.push({ name: `${kind} device`, inner, words: `type ${kind} ${ends(4)}` });
    for (const limit of ['none', '4']) {
      const words = `type ip6tnl mode any ${ends(6)} encaplimit ${limit}`;
      found.push({ name: `ip6tnl device, encaplimit ${limit}, IPv${inner} inside`, inner, words });
    }
    for (const sum of ['', ' ocsum']) {
      found.push({ name: `gre${sum} device, IPv${inner} inside`, inner, words: `type gre ${ends(4)}${sum}` });
      found.push({ name: `ip6gre${sum} device, IPv${inner} inside`, inner, words: `type ip6gre ${ends(6)}${sum}` });
    }
  }
  return found.map((one, i) => ({ ...one, number: NUMBER + i }));
}

export const DEVICES: readonly Device[] = devices();

/** The address that is routed to a device. */
function behind({ inner, number }: Device): string {
  return inner === 4 ? `10.8.0.${number}` : `fd00:8::${number}`;
}

/** Makes the guest a director with a service for each kind of tunnel. */
export async function beDirector(kernel: KernelDirector): Promise<void> {
  await kernel.renew();
  const rules = COMBINATIONS.flatMap(({ number, outer, inner, tunnel }) =>
    ['-t', '-u'].flatMap((protocol) => {
      const of = (address: string) => (address.includes(':') ? `[${address}]` : address);
      const service = `${protocol} ${of(VIP[inner])}:${number}`;
      const port = tunnel.type === 'gue' ? ` --tun-port ${GUE_PORT}` : '';
      const sum = tunnel.type === 'ipip' ? '' : ` --tun-${tunnel.checksum}`;
      const dest = `-r ${of(SERVERS[outer])}:${number} -i --tun-type ${tunnel.type}${port}${sum}`;
      return [`-A ${service} -s rr`, `-a ${service} ${dest}`];
    }),
  );
  await kernel.must(`${GUEST}\nipvsadm -R <<'END'\n${rules.join('\n')}\nEND`);
}

/** Gives the guest a tunnel device, instead of the one before: two with the same ends cannot be there at once. */
export async function beRouter(kernel: KernelDirector, one: Device): Promise<void> {
  await kernel.must(
    `ip link del tun 2>/dev/null || true
ip link add tun ${one.words}
ip link set tun up
ip route add ${behind(one)} dev tun`,
  );
}

/** Makes the guest a router without tunnels. */
export async function beBareRouter(kernel: KernelDirector): Promise<void> {
  await kernel.renew();
  await kernel.must(GUEST);
}

/** By IPVS; what went wrong, one line each. */
export function fromDirector(kernel: KernelDirector, { inner, number }: Combination): Promise<string[]> {
  return through(kernel, inner, VIP[inner], number);
}

/** By a device. */
export function fromDevice(kernel: KernelDirector, one: Device): Promise<string[]> {
  return through(kernel, one.inner, behind(one), 80);
}

async function through(kernel: KernelDirector, inner: Family, to: string, port: number): Promise<string[]> {
  using server = serverWith(to);
  const wrong: string[] = [];
  for (const [i, { packet }] of samples(inner, to, port).entries()) {
    const frames = framesOf(await kernel.send('cli', ether('02:00:00:00:00:01', '02:00:00:00:00:02', packet)), 'srv');
    const [frame] = frames;
    if (frame === undefined || frames.length !== 1) {
      wrong.push(`packet ${i}: the kernel made ${frames.length} frames of it`);
      continue;
    }
    const [outcome] = server.send(frame, 'srv', 0);
    const how = `${outcome?.verdict} ${outcome?.reason}`;
    if (how !== 'local decapsulated' || !sameBytes(outcome?.frame, afterHops(packet, 1))) {
      wrong.push(`packet ${i}: ${how} ${Buffer.from(frame).toString('hex')}`);
    }
  }
  return wrong;
}

/** Ours as the server: `to` is an address of its own. */
function serverWith(to: string): Director {
  const kinds = ['ipip', 'sit', 'ip6tnl', 'gre', 'ip6gre'] as const;
  return Director.createSync({
    wasm: CORE,
    seed: 0n,
    network: {
      interfaces: [
        { name: 'lo', addresses: [`${to}/${to.includes(':') ? 128 : 32}`] },
        { name: 'srv', mac: SERVER, addresses: [`${SERVERS[4]}/24`, `${SERVERS[6]}/64`] },
        ...kinds.map((kind) => ({ name: kind, kind })),
      ],
      fou: [{ port: GUE_PORT }, { port: GUE_PORT, family: 6 }],
    },
  });
}
