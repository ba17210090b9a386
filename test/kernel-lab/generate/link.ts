/**
 * Frames that are not for the director, or are no IP packets.
 *
 * @module
 */
import { counting } from '../../support/packets.js';
import { ether } from './bytes.js';
import type { Context, Kind } from './context.js';
import { transportPacket } from './shapes.js';
import { HOSTS, MACS } from './world.js';

const CLIENT = '02:00:00:00:00:02';

function packetFor(context: Context): Uint8Array {
  const family = context.family();
  const service = context.service();
  const { protocol = 'tcp', vip = HOSTS[family].vips[0], port = 80 } = service ?? {};
  const source = context.client(service?.family ?? family);
  return transportPacket(
    context.random,
    context.world,
    {
      protocol,
      source,
      destination: vip,
      sport: 1000,
      dport: port,
    },
    { flags: 2 },
  );
}

export const link: Kind = {
  weight: 1,
  make(context) {
    const { random } = context;
    const packet = packetFor(context);
    const frames: (() => Uint8Array)[] = [
      () => ether('02:00:00:00:00:77', CLIENT, packet),
      () => ether(random.of(['ffffffffffff', '01005e000001', '333300000001']), CLIENT, packet),
      () => ether(MACS.cli, CLIENT, packet, undefined, random.below(0x1_0000)),
      () => ether(MACS.cli, CLIENT, packet, random.of([0x88a8, 0x0842, 0, 46, 0x0801, 0x0806])),
      () => ether(MACS.cli, CLIENT, packet, random.of([0x0800, 0x86dd])),
      () => ether(MACS.cli, CLIENT, counting(random.below(60))),
      () => ether(MACS.cli, CLIENT, packet).slice(0, 14 + random.below(packet.length)),
    ];
    return [{ step: { kind: 'frame', inInterface: 'cli', frame: random.of(frames)(), label: 'link' } }];
  },
};

/** ARP for the director's addresses and others. */
export const arp: Kind = {
  weight: 1,
  make(context) {
    const { random } = context;
    const four = (text: string) => Uint8Array.from(text.split('.').map(Number));
    const mac = Uint8Array.from(CLIENT.split(':').map((byte) => Number.parseInt(byte, 16)));
    const target = random.of([HOSTS[4].own, HOSTS[4].inside, ...HOSTS[4].vips, '10.0.0.77', '10.0.0.2']);
    const body = Uint8Array.of(0, 1, 8, 0, 6, 4, 0, random.of([1, 1, 1, 2]), ...mac, ...four('10.0.0.2'));
    const packet = Uint8Array.of(...body, ...new Uint8Array(6), ...four(target));
    const frame = ether(random.of(['ffffffffffff', MACS.cli]), CLIENT, packet, 0x0806);
    return [{ step: { kind: 'frame', inInterface: 'cli', frame, label: 'arp' } }];
  },
};
