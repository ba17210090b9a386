/**
 * Templates of persistent services: which dest a client's next connections go to.
 *
 * @module
 */
import type { Connection } from './connection.js';
import { type Address, formatAddress } from './packet/address.js';
import type { Records } from './records.js';
import type { Dest, ServiceTable } from './services.js';
import type * as words from './types.js';

/** What a template is found by. */
export interface TemplateKey {
  /** `ip`: any, of a firewall mark. */
  protocol: words.ReferenceConnectionProtocol | 'ip';
  /** The client's address, as far as the service looks at it. */
  client: Address;
  /** The virtual address, or a firewall mark in its first four bytes. */
  virtual: Address;
  /** The virtual port, 0 for all. */
  port: number;
  callId: string | undefined;
}

/** A template; while it controls connections it does not end. */
export interface Template {
  key: TemplateKey;
  dest: Dest;
  destPort: number;
  method: words.ReferenceMethod;
  /** Whether one of its connections was established. */
  assured: boolean;
  /** Milliseconds that it lives after it was used. */
  timeout: number;
  expiresAt: number;
  /** Connections that it made and that live. */
  controlled: Set<Connection>;
  /** Packets from the client in connections that live for one. */
  inPackets: number;
}

/** Port of a template that is not asked any more. */
const NO_PORT = 65_535;

/** All templates. */
export class TemplateTable {
  readonly #services: ServiceTable;
  readonly #records: Records;
  readonly #all = new Set<Template>();
  readonly #valid = new Map<string, Template>();

  constructor(services: ServiceTable, records: Records) {
    this.#services = services;
    this.#records = records;
  }

  find(key: TemplateKey): Template | undefined {
    return this.#valid.get(keyName(key));
  }

  create(key: TemplateKey, dest: Dest, destPort: number, timeout: number, now: number): Template {
    const template: Template = {
      key,
      dest,
      destPort,
      method: dest.method,
      assured: false,
      timeout,
      expiresAt: now + timeout,
      controlled: new Set(),
      inPackets: 0,
    };
    this.#records.enter(template);
    this.#all.add(template);
    this.#valid.set(keyName(key), template);
    this.#services.bindTemplate(dest);
    return template;
  }

  /** Nobody asks it any more; it waits for its end under another port. */
  invalidate(template: Template): void {
    this.#valid.delete(keyName(template.key));
    template.key = { ...template.key, port: NO_PORT };
    template.destPort = NO_PORT;
  }

  /** A connection was made by it. */
  use(template: Template, now: number): void {
    template.expiresAt = now + template.timeout;
  }

  /** Removes it, but for its number. */
  remove(template: Template): void {
    this.#all.delete(template);
    if (this.#valid.get(keyName(template.key)) === template) this.#valid.delete(keyName(template.key));
    this.#services.unbindTemplate(template.dest);
  }

  has(template: Template): boolean {
    return this.#all.has(template);
  }

  list(): Template[] {
    return [...this.#all];
  }
}

function keyName({ protocol, client, virtual, port, callId }: TemplateKey): string {
  return `${protocol} ${formatAddress(client)} ${formatAddress(virtual)} ${port} ${callId ?? ''}`;
}
