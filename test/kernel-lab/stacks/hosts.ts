/**
 * The hosts: guests with real programs. The client has curl, the servers have nginx.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../../src/address.js';
import { bootGuest, type Guest, type Programs } from '../guest.js';
import { networkScript } from '../network.js';
import {
  askedOf,
  CLIENT_MAC,
  clientNetwork,
  HOST_INTERFACE,
  isByProxy,
  type Mode,
  PORT,
  SERVER_MACS,
  SERVER_PORT,
  serverNetwork,
} from './modes.js';
import type { Deliver, Switch } from './switch.js';

const PROGRAMS: Programs = { curl: 'curl', nginx: 'nginx', bash: 'bash' };
/** MiB of memory, and how much more for each MiB that is sent up and kept there. */
const MEMORY = 192;
const MEMORY_EACH = 3;
/** Seconds a MiB, and besides, that a transfer may take: many times what it takes. */
const SECONDS_EACH = 8;
const SECONDS = 60;
/** Bytes a second of what is served slowly, so that many connections last. */
const SLOW = 32_768;

/** Files that all hosts see. */
export interface Files {
  readonly folder: string;
  /** Names of the file for one transfer, and of that for many at once. */
  readonly large: string;
  readonly small: string;
  readonly mib: number;
}

/** Boots a host on the Ethernet. `heard`: is told of each frame to it. */
async function bootHost(ethernet: Switch, mac: string, port: number, mib: number, heard: Deliver): Promise<Guest> {
  ethernet.connectGuest(mac, port, heard);
  const interfaces = [{ name: HOST_INTERFACE, mac, port, to: ethernet.port }];
  return bootGuest({ interfaces, memory: MEMORY + MEMORY_EACH * mib, programs: PROGRAMS });
}

/** What a stack counts that no loss, no order and no copy explains. */
const COMPLAINTS = ['*InHdrErrors', '*InCsumErrors', '*InTruncatedPkts'];

/** What a guest's stack complains of: names and counts. */
async function complaintsOf(guest: Guest): Promise<string[]> {
  const text = await guest.must(`nstat -as ${COMPLAINTS.map((name) => `'${name}'`).join(' ')}`);
  return [...text.matchAll(/^(\w+) +(\d+)/gm)].map(([, name, count]) => `${name} ${count}`);
}

/** A host that fetches and sends. */
export class Client {
  readonly #guest: Guest;
  /** Who is asked, by turns. */
  readonly #addresses: readonly string[];
  readonly #files: Files;
  #asked = 0;

  static async boot(
    ethernet: Switch,
    port: number,
    mode: Mode,
    family: Family,
    files: Files,
    heard: Deliver,
  ): Promise<Client> {
    const guest = await bootHost(ethernet, CLIENT_MAC, port, files.mib, heard);
    await guest.must(networkScript(clientNetwork(mode, family)));
    return new Client(guest, askedOf(mode, family), files);
  }

  private constructor(guest: Guest, addresses: readonly string[], files: Files) {
    this.#guest = guest;
    this.#addresses = addresses;
    this.#files = files;
  }

  /** Fetches the file for one transfer. `sum`: its SHA-256. @throws Error when something else comes */
  async fetch(sum: string): Promise<void> {
    await this.#expect(sum, `${this.#curl} ${urlOf(this.#nextAddress())}/${this.#files.large}`);
  }

  /** Fetches the small file by so many connections at once. `sum`: SHA-256 of all of them, one behind the other. */
  async fetchMany(count: number, sum: string): Promise<void> {
    const curl = `${this.#curl} -Z --parallel-immediate --parallel-max ${count}`;
    const each = this.#addresses.map((address, i) => {
      const share = Math.floor((count + i) / this.#addresses.length);
      return `'${urlOf(address)}/slow/${this.#files.small}?[1-${share}]' -o '/run/many-${i}-#1'`;
    });
    await this.#expect(sum, `${curl} ${each.join(' ')} >&2; cat /run/many-*; rm /run/many-*`);
  }

  /** What its stack complains of. */
  complaints(): Promise<string[]> {
    return complaintsOf(this.#guest);
  }

  /** Sends a file to a server, which keeps it by this name. */
  async send(name: string): Promise<void> {
    const { folder, large } = this.#files;
    await this.#guest.must(
      `${this.#curl} -T ${join(folder, large)} ${urlOf(this.#nextAddress())}/up/${name}`,
      this.#limit,
    );
  }

  /** Asks for leave to send a byte, gets it, and says nothing more until the connection is reset. @throws Error when it is not */
  async idle(): Promise<void> {
    const text = await this.#guest.must(`bash -e <<'END'\n${idleScript(this.#nextAddress())}\nEND`, this.#limit);
    if (!/^HTTP\/1\.1 100 .*Connection reset by peer/s.test(text)) throw new Error(`expected a reset, got:\n${text}`);
  }

  close(): void {
    this.#guest.close();
  }

  #nextAddress(): string {
    return this.#addresses[this.#asked++ % this.#addresses.length] as string;
  }

  async #expect(sum: string, command: string): Promise<void> {
    const text = await this.#guest.must(`(${command}) | sha256sum`, this.#limit);
    if (!text.includes(sum)) throw new Error(`what came is not what was served: ${command}\n${text}`);
  }

  get #seconds(): number {
    return SECONDS + SECONDS_EACH * this.#files.mib;
  }

  get #curl(): string {
    return `curl -sS --max-time ${this.#seconds}`;
  }

  /** Of a command, ms: curl says more than that there was no answer. */
  get #limit(): number {
    return 1000 * (this.#seconds + SECONDS);
  }
}

/** A host that serves files, keeps what it is sent, and logs who asks. */
export class Server {
  readonly #guest: Guest;

  static async boot(
    ethernet: Switch,
    port: number,
    mode: Mode,
    family: Family,
    index: number,
    files: Files,
    heard: Deliver,
  ): Promise<Server> {
    const guest = await bootHost(ethernet, SERVER_MACS[index] as string, port, files.mib, heard);
    writeFileSync(join(guest.folder, 'nginx.conf'), nginxConf(files, isByProxy(mode)));
    await guest.must(
      [
        networkScript(serverNetwork(mode, family, index)),
        // Files that are sent up are kept in memory.
        'mount -t tmpfs -o size=90% run /run; mkdir /run/up',
        // What it tells of clients is no error.
        'touch /run/info.log; nginx -e /run/error.log -c "$LAB/nginx.conf"',
      ].join('\n'),
    );
    return new Server(guest);
  }

  private constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** SHA-256 of what was sent here by this name, which is gone then; `undefined`: nothing was. */
  async take(name: string): Promise<string | undefined> {
    const text = await this.#guest.must(
      `if [ -e /run/up/${name} ]; then sha256sum /run/up/${name}; rm /run/up/${name}; fi`,
    );
    return /^[\da-f]{64}/.exec(text)?.[0];
  }

  /** What its stack complains of. */
  complaints(): Promise<string[]> {
    return complaintsOf(this.#guest);
  }

  /** How often the server's program has found that a client's connection was reset. */
  async resets(): Promise<number> {
    return Number(
      await this.#guest.must("grep -c 'recv() failed (104: Connection reset by peer)' /run/info.log || true"),
    );
  }

  /** Addresses that asked since the start, each once. */
  async clients(): Promise<string[]> {
    const text = await this.#guest.must('sort -u /run/access.log; cat /run/error.log >&2');
    return text.split('\n').filter(Boolean);
  }

  close(): void {
    this.#guest.close();
  }
}

function urlOf(address: string): string {
  return `http://${address.includes(':') ? `[${address}]` : address}:${PORT}`;
}

/** Two bytes are announced, and one is sent, so that both ends wait. */
function idleScript(address: string): string {
  const head = ['PUT /up/idle HTTP/1.1', 'Host: idle', 'Expect: 100-continue', 'Content-Length: 2', '', ''];
  return [
    `exec 3<>/dev/tcp/${address}/${PORT}`,
    `printf '${head.join('\\r\\n')}' >&3`,
    'read -r answer <&3; echo "$answer"',
    'printf x >&3',
    'cat <&3 || true',
  ].join('\n');
}

function nginxConf({ folder }: Files, byProxy: boolean): string {
  const by = byProxy ? ' proxy_protocol' : '';
  const proxies = byProxy ? 'set_real_ip_from 0.0.0.0/0; set_real_ip_from ::/0; real_ip_header proxy_protocol;' : '';
  const ports = [PORT, SERVER_PORT].flatMap((port) => [
    `listen ${port}${by} backlog=1024;`,
    `listen [::]:${port}${by} backlog=1024;`,
  ]);
  const kept = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path /run/${name};`);
  return `user root;
worker_processes 1;
error_log /run/error.log;
error_log /run/info.log info;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
  log_format client $remote_addr;
  access_log /run/access.log client;
  client_max_body_size 0;
  ${kept.join('\n  ')}
  server {
    ${ports.join('\n    ')}
    ${proxies}
    root ${folder};
    location /slow/ { alias ${folder}/; limit_rate ${SLOW}; }
    location /up/ { root /run; dav_methods PUT; }
  }
}
`;
}
