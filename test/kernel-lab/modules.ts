/**
 * The modules of the guest's kernel, in the order in which they can be loaded.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

const ROOT = '/usr/lib/uml/modules';

/** What a director may need; `ip_vs` and all its schedulers come on top. */
const WANTED = [
  'ipv6',
  'tunnel4',
  'tunnel6',
  'ipip',
  'sit',
  'ip6_tunnel',
  'gre',
  'ip_gre',
  'ip6_gre',
  'fou',
  'fou6',
  // The checksum of SCTP, and a host that answers SCTP with ABORT.
  'sctp',
  '8021q',
  // Firewall marks.
  'sch_ingress',
  'cls_flower',
  'act_skbedit',
];
/** The FTP helper puts connection tracking in the way of every packet. */
const UNWANTED = ['ip_vs_ftp'];

/** Paths of the modules, each after those that it needs. @throws when there are no modules for `release` */
export async function modulePaths(release: string): Promise<string[]> {
  const folder = join(ROOT, release);
  const text = await readFile(join(folder, 'modules.dep'), 'utf8');
  const needs = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [path, rest] = line.split(':');
    if (path !== undefined && rest !== undefined) needs.set(path, rest.split(' ').filter(Boolean));
  }
  const ordered = new Set<string>();
  const add = (path: string) => {
    // modules.dep lists what is needed last first.
    for (const needed of [...(needs.get(path) ?? [])].reverse()) add(needed);
    ordered.add(path);
  };
  for (const name of WANTED) for (const path of needs.keys()) if (basename(path, '.ko') === name) add(path);
  for (const path of needs.keys()) {
    const name = basename(path, '.ko');
    if (name.startsWith('ip_vs') && !UNWANTED.includes(name)) add(path);
  }
  return [...ordered].map((path) => join(folder, path));
}
