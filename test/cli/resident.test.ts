/** What is judged where it was read, and what has to be copied to where there is room for more. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { fromClient, fromServer } from '../support/lab.js';
import { ACK, counting, SYN, tcp } from '../support/packets.js';
import { framesOf, run, scratch } from './support.js';

const addresses = (...list: string[]) =>
  list.map((one) => ({
    family: one.includes(':') ? 'inet6' : 'inet',
    local: one,
    prefixlen: one.includes(':') ? 64 : 24,
  }));

const link = { link_type: 'ether', flags: ['UP'], mtu: 1500 };
const NETWORK = JSON.stringify({
  addr: [
    {
      ifname: 'cli',
      ...link,
      address: '02:00:00:00:00:01',
      addr_info: addresses('10.0.0.1', '10.0.0.100', 'fd00::1', 'fd00::100'),
    },
    { ifname: 'srv', ...link, address: '02:00:00:00:01:01', addr_info: addresses('10.1.0.1', 'fd00:1::1') },
  ],
  neigh: [
    { dst: '10.0.0.2', dev: 'cli', lladdr: '02:00:00:00:00:02' },
    { dst: 'fd00::2', dev: 'cli', lladdr: '02:00:00:00:00:02' },
    { dst: '10.1.0.11', dev: 'srv', lladdr: '02:00:00:00:01:11' },
    { dst: 'fd00:1::11', dev: 'srv', lladdr: '02:00:00:00:01:11' },
  ],
});

/** A capture with a frame each two milliseconds, from one that is `first` ms late. */
function pcap(frames: readonly Uint8Array[], first = 0): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2_c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(1, 20);
  const records = frames.map((frame, i) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1000, 0);
    record.writeUInt32LE((first + 2 * i) * 1000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([header, ...records.flat()]);
}

const says = (v6: boolean, words: object): Uint8Array => {
  const places = v6
    ? { source: 'fd00::2', destination: 'fd00::100' }
    : { source: '10.0.0.2', destination: '10.0.0.100' };
  return fromClient(tcp({ ...places, sport: 40_000, dport: 80, seq: 100, flags: SYN, ...words }));
};
const data = { seq: 101, ack: 1, flags: ACK, payload: counting(10) };
const answers = fromServer(
  tcp({ source: '10.1.0.11', destination: '10.1.0.1', sport: 8080, dport: 1024, seq: 7, ack: 101, flags: SYN | ACK }),
);
const web6 = '-A -t [fd00::100]:80 -s rr';

test.each([
  [
    'NAT',
    '-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.11:8080 -m',
    [says(false, {}), says(false, data)],
    [],
  ],
  ['TUN', '-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.11 -i', [says(false, {}), says(false, data)], []],
  [
    'a SYN proxy',
    '-A -t 10.0.0.100:80 -s rr --synproxy enable\n-a -t 10.0.0.100:80 -r 10.1.0.11:8080 -m',
    [says(false, {})],
    [],
  ],
  [
    'TOA',
    `${web6} --toa\n--add-laddr -t [fd00::100]:80 --laddr fd00:1::1\n-a -t [fd00::100]:80 -r [fd00:1::11]:8080 --fullnat`,
    [says(true, {}), says(true, data)],
    [],
  ],
  [
    "the PROXY protocol's header",
    '-A -t 10.0.0.100:80 -s rr --proxy-protocol v1\n--add-laddr -t 10.0.0.100:80 --laddr 10.1.0.1\n' +
      '-a -t 10.0.0.100:80 -r 10.1.0.11:8080 --fullnat',
    [says(false, {}), says(false, data)],
    [],
  ],
  [
    'NAT64',
    `${web6}\n--add-laddr -t [fd00::100]:80 --laddr 10.1.0.1\n-a -t [fd00::100]:80 -r 10.1.0.11:8080 --fullnat`,
    [says(true, {})],
    [answers],
  ],
])('%s: a capture gives the same as when it is packed', async (_, rules, clients, servers) => {
  const folder = scratch();
  const at = (name: string) => join(folder, name);
  writeFileSync(at('net.json'), NETWORK);
  writeFileSync(at('rules.txt'), `${rules}\n`);
  const outputs: string[][] = [];
  const captures = { cli: pcap(clients), srv: pcap(servers, 1) };
  for (const name of ['cli', 'srv'] as const) {
    writeFileSync(at(`${name}.pcap`), captures[name]);
    writeFileSync(at(`${name}.pcap.gz`), gzipSync(captures[name]));
  }
  const given = ['--rules', at('rules.txt'), '--network', at('net.json')];
  const fates: unknown[] = [];
  for (const ending of ['pcap', 'pcap.gz']) {
    const inputs = ['cli', 'srv'].flatMap((name) => ['-i', `${name}=${at(`${name}.${ending}`)}`]);
    const ran = await run('rewrite', ...inputs, ...given, '-o', at('out.pcap'), '--json');
    expect(ran.err).toBe('');
    fates.push((JSON.parse(ran.out) as { fates: unknown }).fates);
    outputs.push(await framesOf(at('out.pcap')));
  }
  expect(fates[0]).toEqual(fates[1]);
  expect(outputs[0]).toEqual(outputs[1]);
  expect(JSON.stringify(fates)).not.toMatch(/drop|no-headroom/);
  expect(readFileSync(at('cli.pcap')).equals(captures.cli)).toBe(true);
});
