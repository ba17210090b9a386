/**
 * Holds FTP's helper against the kernel's: `ftp.js [--seconds N] [--seed S]`, or one case of it, `--case N`. Control connections with random
 * commands, replies and options go through a guest with ip_vs_ftp and through the core; what they send has to be equal, and
 * in the end their connections.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import type { ConnectionInfo } from '../../src/connections.js';
import { summary } from '../../src/decode.js';
import { Director } from '../../src/director.js';
import type { NetworkConfig } from '../../src/types.js';
import { type SegmentWords, segment } from '../support/ftp.js';
import { fromClient, fromServer } from '../support/lab.js';
import { ACK, FIN, SYN } from '../support/packets.js';
import { CAPTURES_NETWORK } from './captures-network.js';
import { CORE, PLAN } from './core.js';
import { networkScript } from './network.js';
import { Random } from './random.js';
import { isSpontaneous } from './spontaneous.js';
import { compareTables } from './tables.js';
import { bootDirector, type KernelDirector } from './uml.js';

const MODULES = '/usr/lib/uml/modules';
const NETWORK: NetworkConfig = { ...CAPTURES_NETWORK, ip_vs_ftp: {} };
/**
 * Connection tracking does not look at windows, which the core knows nothing of, nor at checksums: IPVS takes those that it has
 * seen right for wrong ones in IPv6.
 */
const SETUP =
  'echo 1 >/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal; echo 0 >/proc/sys/net/netfilter/nf_conntrack_checksum';

const ENDS = {
  4: { client: '10.0.0.2', vip: '10.0.0.100', server: '10.1.0.11', other: '10.1.0.12' },
  6: { client: 'fd00::2', vip: 'fd00::100', server: 'fd00:1::11', other: 'fd00:1::12' },
} as const;

/** One frame. */
interface Arrival {
  readonly by: 'cli' | 'srv';
  readonly frame: Uint8Array;
}

/** Both ends of control connections, and of the data connections that they speak of. */
class Talk {
  readonly #random: Random;
  readonly #family: 4 | 6;
  readonly #seq = { cli: 1000, srv: 0x8000_0000 };
  #port = 37_000;
  /** The next port that a client calls from, and those that servers called. */
  #free = 60_000;
  readonly #called = new Set<number>();
  readonly #known: () => ConnectionInfo[];

  /** `known`: the connections that there are. */
  constructor(random: Random, family: 4 | 6, known: () => ConnectionInfo[]) {
    this.#random = random;
    this.#family = family;
    this.#known = known;
  }

  get ends() {
    return ENDS[this.#family];
  }

  /** The first segments of a control connection. */
  open(): Arrival[] {
    this.#port += 1;
    const { cli, srv } = this.#seq;
    return [
      this.toServer({ flags: SYN, seq: cli - 1, ack: 0 }),
      this.toClient({ flags: SYN | ACK, seq: srv - 1, ack: cli }),
      this.toServer({ seq: cli, ack: srv }),
    ];
  }

  toServer(words: SegmentWords): Arrival {
    const { client, vip } = this.ends;
    const ends = { source: client, destination: vip, sport: this.#port, dport: 21 };
    return { by: 'cli', frame: fromClient(segment({ seq: this.#seq.cli, ack: this.#seq.srv, ...ends, ...words })) };
  }

  toClient(words: SegmentWords): Arrival {
    const { client, server } = this.ends;
    const ends = { source: server, destination: client, sport: 21, dport: this.#port };
    return { by: 'srv', frame: fromServer(segment({ seq: this.#seq.srv, ack: this.#seq.cli, ...ends, ...words })) };
  }

  /** Something that one of them sends. */
  next(): Arrival[] {
    return this.#random.weighted<() => Arrival[]>([
      [8, () => this.#say('cli', this.#command())],
      [8, () => this.#say('srv', this.#answer())],
      [3, () => this.#exchange()],
      [4, () => this.#call()],
      [3, () => [this.#odd()]],
      [1, () => this.open()],
    ])();
  }

  #say(who: 'cli' | 'srv', text: string): Arrival[] {
    const seq = this.#seq[who];
    const [own, other] = [seq, this.#seq[who === 'cli' ? 'srv' : 'cli']];
    // Sent again now and then.
    if (!this.#random.once(6)) this.#seq[who] = (seq + text.length) >>> 0;
    const words = { seq: own, ack: other, text, ...this.#extras() };
    return [who === 'cli' ? this.toServer(words) : this.toClient(words)];
  }

  #extras(): SegmentWords {
    if (!this.#random.once(4)) return {};
    const near = () => (this.#seq[this.#random.once(2) ? 'srv' : 'cli'] + this.#random.below(200) - 100) >>> 0;
    const edges = Array.from({ length: 2 * (1 + this.#random.below(2)) }, near);
    const block = [
      5,
      2 + 4 * edges.length,
      ...edges.flatMap((e) => [e >>> 24, (e >>> 16) & 255, (e >>> 8) & 255, e & 255]),
    ];
    return { tcpOptions: Uint8Array.from([1, 1, ...block]) };
  }

  /** A command and its reply. */
  #exchange(): Arrival[] {
    const passive = this.#random.once(2) && this.#family === 4;
    return [
      ...this.#say('cli', passive ? 'PASV\r\n' : 'EPSV\r\n'),
      ...this.#say('srv', passive ? this.#passive() : this.#extended()),
    ];
  }

  #number(value: number): string {
    const padded = this.#random.once(6) ? String(value).padStart(3, '0') : String(value);
    return this.#random.once(30) ? String(value + 256) : padded;
  }

  #address(text: string): string {
    if (this.#family === 4) return text;
    return this.#random.of([
      text,
      text.toUpperCase(),
      text.replace('::', ':0:0:0:0:0:').replace('0:0:0:0:0:', '0000:0:0:00:0:'),
    ]);
  }

  #serverAddress(): string {
    return this.#random.once(8) ? this.ends.other : this.ends.server;
  }

  #passive(): string {
    const port = this.#dataPort();
    const six = [...this.#serverAddress().split('.').map(Number), port >> 8, port & 255].map((n) => this.#number(n));
    const inner = this.#mangled(six.join(','));
    return this.#random.of([
      `227 Entering Passive Mode (${inner}).\r\n`,
      `227 ${inner}\r\n`,
      `227 ok ((${inner}))\r\n`,
      `227 (${inner}`,
    ]);
  }

  #extended(): string {
    const port = this.#dataPort();
    const bar = this.#random.once(4) ? String.fromCharCode(33 + this.#random.below(94)) : '|';
    const long = `${bar}${this.#family === 4 ? 1 : 2}${bar}${this.#address(this.#serverAddress())}${bar}${port}${bar}`;
    const inner = this.#mangled(this.#random.once(3) ? long : `${bar}${bar}${bar}${port}${bar}`);
    return this.#random.of([
      `229 Entering Extended Passive Mode (${inner})\r\n`,
      `229 (${inner})`,
      `229 ((${inner}\r\n`,
    ]);
  }

  #dataPort(): number {
    return this.#random.weighted([
      [6, 40_000 + this.#random.below(4)],
      [1, this.#random.below(65_536)],
      [1, 20],
    ]);
  }

  #clientEnd(): { address: string; port: number } {
    const port = this.#random.once(12) ? this.#random.below(65_536) : 50_000 + this.#random.below(4);
    return { address: this.ends.client, port };
  }

  /** Now and then with a character that does not belong there. */
  #mangled(text: string): string {
    if (!this.#random.once(5)) return text;
    const at = this.#random.below(text.length + 1);
    const char = this.#random.of(['', ',', ' ', '.', ':', '|', '9', 'x', '\0', 'ÿ', '(', ')']);
    return text.slice(0, at) + char + text.slice(at + this.#random.below(2));
  }

  #command(): string {
    const random = this.#random;
    const { address, port } = this.#clientEnd();
    const active = `PORT ${this.#mangled([...address.split('.'), port >> 8, port & 255].join(','))}\r\n`;
    const extended = `EPRT ${this.#mangled(`|${this.#family === 4 ? 1 : 2}|${this.#address(address)}|${port}|`)}\r\n`;
    const text = random.of([
      'PASV\r\n',
      'EPSV\r\n',
      'EPSV 1\r\n',
      'EPSV 2\r\n',
      'EPSV ALL\r\n',
      active,
      active,
      extended,
      extended,
      'NOOP\r\n',
    ]);
    if (random.once(10)) return text.toLowerCase();
    if (random.once(10)) return `x${text}`;
    return random.once(15) ? text.slice(0, random.below(text.length)) : text;
  }

  #answer(): string {
    return this.#random.of([
      '220 hello\r\n',
      '200 ok\r\n',
      '',
      this.#family === 4 ? this.#passive() : this.#extended(),
      this.#extended(),
    ]);
  }

  /** A segment of a data connection that is there: another one would be tracked, and be in the way of a later one. */
  #call(): Arrival[] {
    const calls = this.#known().filter(({ virtualPort }) => virtualPort !== 21);
    if (calls.length === 0) return [];
    const one = this.#random.of(calls);
    const { client, vip } = this.ends;
    const { clientPort, state } = one;
    // As connection tracking wants it: a SYN, the other side's answer, and then anything.
    const isCalled = this.#called.has(clientPort);
    const isFirst = clientPort === 0 || (state === 'LISTEN' && !isCalled);
    const isOpen = state === 'ESTABLISHED';
    const flags = isFirst
      ? SYN
      : state === 'LISTEN' || !isCalled
        ? SYN | ACK
        : isOpen && this.#random.once(4)
          ? ACK | FIN
          : ACK;
    const fromClientNow =
      clientPort === 0 || (state === 'LISTEN' ? isCalled : isCalled && (!isOpen || this.#random.once(2)));
    const numbers = { seq: 1, ack: flags & ACK ? 1 : 0, flags };
    if (fromClientNow) {
      const sport = clientPort || (this.#random.once(12) ? 0 : this.#free++);
      const ends = { source: client, destination: vip, sport, dport: one.virtualPort };
      return [{ by: 'cli', frame: fromClient(segment({ ...numbers, ...ends })) }];
    }
    this.#called.add(clientPort);
    const ends = { source: one.destAddress, destination: client, sport: one.destPort, dport: clientPort };
    return [{ by: 'srv', frame: fromServer(segment({ ...numbers, ...ends })) }];
  }

  /** A segment of the control connection that is not quite as others. */
  #odd(): Arrival {
    const random = this.#random;
    const words: SegmentWords = random.of<SegmentWords>([
      { checksum: random.below(0x1_0000), text: 'PASV\r\n' },
      { flags: ACK | FIN },
      { seq: this.#seq.srv - random.below(300) },
      { tcpOptions: Uint8Array.of(1, 1, 8, 3) },
      { tcpOptions: Uint8Array.of(1, 1, 1, 8) },
      { text: 'x'.repeat(1400 + random.below(41)), df: random.once(2) },
    ]);
    return random.once(2) ? this.toServer(words) : this.toClient(words);
  }
}

interface Difference {
  readonly sent: readonly Arrival[];
  readonly text: string;
}

async function differ(kernel: KernelDirector, random: Random): Promise<{ frames: number; difference?: Difference }> {
  const family = random.once(2) ? 6 : 4;
  const { vip, server } = ENDS[family];
  const bracketed = (address: string) => (family === 6 ? `[${address}]:21` : `${address}:21`);
  await kernel.renew();
  const rules = [`ipvsadm -A -t ${bracketed(vip)} -s rr`, `ipvsadm -a -t ${bracketed(vip)} -r ${bracketed(server)} -m`];
  await kernel.must([networkScript(CAPTURES_NETWORK), ...rules, SETUP].join('\n'));
  const director = Director.createSync({ wasm: CORE, plan: PLAN, network: NETWORK, seed: 1n });
  const key = { protocol: 'tcp', address: vip, port: 21 } as const;
  director.addService({ ...key, scheduler: 'rr' });
  director.addDest(key, { address: server, method: 'nat' });
  const talk = new Talk(random, family, () => director.connections(Date.now()));
  const sent: Arrival[] = [];
  const arrivals = talk.open();
  for (let i = 0; i < 60; i++) {
    for (const arrival of arrivals.splice(0)) {
      const { by, frame } = arrival;
      sent.push(arrival);
      const theirs = (await kernel.send(by, frame)).filter(({ data }) => !isSpontaneous(data));
      const outcomes = director.send(frame, by, Date.now());
      const ours = outcomes.filter(({ verdict }) => verdict === 'forward');
      const text = (name: string | undefined, data: Uint8Array) => `${name} ${Buffer.from(data).toString('hex')}`;
      const expected = theirs.map(({ outInterface, data }) => text(outInterface, data));
      const got = ours.map(({ outInterface, frame: data }) => text(outInterface, data));
      // What the host's own stack answers is not ours to make.
      const isHosts = outcomes[0]?.verdict === 'local';
      if (isHosts || expected.join() === got.join()) continue;
      const lines = [
        `in       ${by} ${summary(frame)} ${JSON.stringify(payload(frame))}`,
        ...theirs.map(
          ({ outInterface, data }) => `expected ${outInterface} ${summary(data)} ${JSON.stringify(payload(data))}`,
        ),
        ...outcomes.map(
          (o) =>
            `got      ${o.outInterface} ${o.verdict} ${o.reason} ${summary(o.frame)} ${JSON.stringify(payload(o.frame))}`,
        ),
      ];
      return { frames: sent.length, difference: { sent, text: lines.join('\n') } };
    }
    arrivals.push(...talk.next());
  }
  const from = BigInt(Date.now()) * 1_000_000n;
  const tables = await kernel.must('cat /proc/net/ip_vs /proc/net/ip_vs_conn');
  const to = BigInt(Date.now()) * 1_000_000n;
  const differences = compareTables({ from, to, text: tables }, director) ?? [];
  return differences.length === 0
    ? { frames: sent.length }
    : { frames: sent.length, difference: { sent, text: differences.join('\n') } };
}

const payload = (frame: Uint8Array): string =>
  Buffer.from(frame.subarray(frame[14]! >> 4 === 6 ? 74 : 54)).toString('latin1');

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    case: { type: 'string' },
  },
});
const end = Date.now() + Number(values.seconds) * 1000;
await using kernel = await bootDirector();
const release = (await kernel.must('uname -r')).trim();
await kernel.must(
  ['nf_nat', 'ipvs/ip_vs_ftp'].map((name) => `insmod ${MODULES}/${release}/kernel/net/netfilter/${name}.ko`).join('\n'),
);
let [frames, cases, differences] = [0, 0, 0];
const first = Number(values.case ?? Number(values.seed) * 100_000);
for (let i = 0; Date.now() < end && i < (values.case === undefined ? Number.POSITIVE_INFINITY : 1); i++) {
  const seed = first + i;
  const found = await differ(kernel, new Random(seed));
  frames += found.frames;
  cases++;
  if (found.difference === undefined) continue;
  differences++;
  console.log(`difference in case ${seed}, frame ${found.difference.sent.length}\n${found.difference.text}`);
  for (const { by, frame } of found.difference.sent.slice(-8))
    console.log(`  ${by} ${summary(frame)} ${JSON.stringify(payload(frame))}`);
}
console.log(`${cases} cases, ${frames} frames, ${differences} differences`);
