/**
 * What a user does first, against the installed package: run in a folder that has it in its node_modules.
 *
 * Plain JavaScript without a test runner, so that any version of Node can run it. Prints one line; throws when wrong.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Director, IpvsError } from 'ipvs-wasm';
import { PcapngWriter, readCapture } from 'ipvs-wasm/capture';
import { ReferenceDirector, serialiseIpv4, serialiseUdp } from 'ipvs-wasm/reference';
import { applyRules, listConnections, parseRules } from 'ipvs-wasm/rules';

const manifest = createRequire(import.meta.url)('ipvs-wasm/package.json');

const network = {
  interfaces: [
    { name: 'lo', addresses: ['127.0.0.1/8'] },
    { name: 'cli', kind: 'raw', addresses: ['10.0.0.1/24', '10.0.0.100/32'] },
    { name: 'srv', kind: 'raw', addresses: ['10.1.0.1/24'] },
  ],
  routes: [
    { dst: '10.0.0.0/24', dev: 'cli' },
    { dst: '10.1.0.0/24', dev: 'srv' },
  ],
  neighbours: [],
};
const RULES = '-A -u 10.0.0.100:53 -s rr\n-a -u 10.0.0.100:53 -r 10.1.0.11:5353 -m\n';
const NOW = 1000;

const quad = (text) => text.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
const datagram = (source, sourcePort, destination, destinationPort) =>
  serialiseIpv4({
    tos: 0,
    identification: 7,
    flags: 2,
    fragmentOffset: 0,
    ttl: 64,
    protocol: 17,
    checksum: 0,
    source: quad(source),
    destination: quad(destination),
    options: new Uint8Array(),
    payload: serialiseUdp({
      sourcePort,
      destinationPort,
      length: 12,
      checksum: 0,
      payload: new TextEncoder().encode('ping'),
    }),
  });
const request = datagram('10.0.0.2', 40000, '10.0.0.100', 53);
const answer = datagram('10.1.0.11', 5353, '10.0.0.2', 40000);

const reference = new ReferenceDirector({ network });
applyRules(reference, parseRules(RULES));
const expected = [reference.send(request, 'cli', NOW)[0], reference.send(answer, 'srv', NOW)[0]];

const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true });
const plan = { connections: 1024, arenaBytes: 1 << 20 };
const directors = [
  Director.createSync({ network, plan }),
  await Director.create({ network, plan, variant: 'debug' }),
  await Director.create({ network, plan, memory }),
  await Director.create({ network, plan, wasm: await readFile(new URL(import.meta.resolve('ipvs-wasm/core.wasm'))) }),
];
for (const director of directors) {
  applyRules(director, parseRules(RULES));
  const outcomes = [director.send(request, 'cli', NOW)[0], director.send(answer, 'srv', NOW)[0]];
  for (const [index, { verdict, reason, outInterface, frame }] of outcomes.entries()) {
    assert.equal(verdict, 'forward', reason);
    assert.equal(outInterface, ['srv', 'cli'][index]);
    assert.deepEqual([...frame], [...expected[index].frame]);
  }
  assert.match(listConnections(director.connections(NOW)), /UDP +05:00 +UDP +10\.0\.0\.2:40000 /);
  director.close();
  assert.throws(() => director.process(NOW), IpvsError);
}

const chunks = [];
const writer = new PcapngWriter((chunk) => {
  chunks.push(chunk.slice());
});
writer.addInterface({ name: 'cli', linkType: 101 });
writer.write(1, 0, request, 0, request.length, request.length, 0);
await writer.flush();
const packets = [];
for await (const { data } of readCapture(Buffer.concat(chunks))) packets.push([...data]);
assert.deepEqual(packets, [[...request]]);

console.log(`ipvs-wasm ${manifest.version} on Node ${process.versions.node}: ok`);
