/**
 * What our director sends through its tunnels, taken apart by a kernel's devices: the guest is the real server, and routes
 * what was inside on.
 *
 * @module
 */
import { Director } from '../../../src/director.js';
import { CORE } from '../core.js';
import { ether } from '../generate/bytes.js';
import { networkScript } from '../network.js';
import type { KernelDirector } from '../uml.js';
import { afterHops, type Combination, GUE_PORT, samples, VIP } from './combinations.js';
import { packetsOf, sameBytes } from './frames.js';

const DIRECTOR = '02:00:00:00:00:01';
const SERVER = '02:00:00:00:01:01';
const BEYOND = '02:00:00:00:02:02';

/** The servers' addresses: a GRE device takes packets with a checksum, or those without. */
const PLAIN = { 4: '10.1.0.11', 6: 'fd00:1::11' } as const;
const SUMMED = { 4: '10.1.0.12', 6: 'fd00:1::12' } as const;

/** The guest as the server: `srv` is where tunnel packets come in, `cli` where they go on to. */
const GUEST = networkScript({
  interfaces: [
    {
      name: 'srv',
      addresses: ['10.1.0.11/24', '10.1.0.12/32', 'fd00:1::11/64', 'fd00:1::12/128'],
    },
    { name: 'cli', addresses: ['10.3.0.1/24', 'fd00:3::1/64'] },
  ],
  routes: [
    { dst: VIP[4], dev: 'cli', gateway: '10.3.0.2' },
    { dst: VIP[6], dev: 'cli', gateway: 'fd00:3::2' },
  ],
  neighbours: [
    { dst: '10.3.0.2', dev: 'cli', lladdr: BEYOND },
    { dst: 'fd00:3::2', dev: 'cli', lladdr: BEYOND },
  ],
  fou: [{ port: GUE_PORT }, { port: GUE_PORT, family: 6 }],
});

const DEVICES = `
ip -6 tunnel change ip6tnl0 mode any
ip link add gre1 type gre local ${SUMMED[4]} icsum
ip link add ip6gre1 type ip6gre local ${SUMMED[6]} icsum
for name in tunl0 sit0 ip6tnl0 gre0 ip6gre0 gre1 ip6gre1; do
  ip link set "$name" up
  ethtool -K "$name" gro off
done`;

/** Makes the guest the server. */
export async function beServer(kernel: KernelDirector): Promise<void> {
  await kernel.renew();
  await kernel.must(GUEST + DEVICES);
}

/** Sends through one kind of tunnel; what went wrong, one line each. `partial`: checksums are left to the network card. */
export async function toKernel(kernel: KernelDirector, one: Combination, partial: boolean): Promise<string[]> {
  using director = directorFor(one);
  const wrong: string[] = [];
  for (const [i, sample] of samples(one.inner, VIP[one.inner], 80).entries()) {
    const given = ether(DIRECTOR, '02:00:00:00:00:02', partial ? sample.partial : sample.packet);
    const sent = director.send(given, 'cli', 0, { partialChecksum: partial });
    const [frame] = sent;
    if (sent.length !== 1 || frame?.verdict !== 'forward' || frame.outInterface !== 'srv') {
      wrong.push(`packet ${i}: ${sent.map(({ verdict, reason }) => `${verdict} ${reason}`).join(', ')}`);
      continue;
    }
    const expected = afterHops(sample.packet, 2);
    const got = packetsOf(await kernel.send('srv', frame.frame), 'cli');
    if (got.length !== 1 || !sameBytes(got[0], expected)) {
      wrong.push(
        `packet ${i}: the kernel made ${got.length} of it ${got.map((each) => Buffer.from(each).toString('hex'))}`,
      );
    }
  }
  return wrong;
}

function directorFor({ outer, inner, tunnel }: Combination): Director {
  const director = Director.createSync({
    wasm: CORE,
    seed: 0n,
    network: {
      interfaces: [
        { name: 'cli', mac: DIRECTOR, addresses: [`${VIP[4]}/32`, '10.0.0.1/24', `${VIP[6]}/128`, 'fd00::1/64'] },
        { name: 'srv', mac: '02:00:00:00:01:99', addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
      ],
      neighbours: [PLAIN, SUMMED].flatMap((each) =>
        Object.values(each).map((dst) => ({ dst, dev: 'srv', lladdr: SERVER })),
      ),
    },
  });
  const isSummedGre = tunnel.type === 'gre' && tunnel.checksum === 'csum';
  const address = (isSummedGre ? SUMMED : PLAIN)[outer];
  for (const protocol of ['tcp', 'udp'] as const) {
    const service = { protocol, address: VIP[inner], port: 80 };
    director.addService({ ...service, scheduler: 'rr' });
    const words = tunnel.type === 'gue' ? { ...tunnel, port: GUE_PORT } : tunnel;
    director.addDest(service, { address, method: 'tun', tunnel: words });
  }
  return director;
}
