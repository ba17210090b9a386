/**
 * keepalived.conf as services and dests: its virtual servers, by the grammar of keepalived 2.2.
 *
 * What has to do with VRRP, or with keepalived itself, is skipped with a warning; checkers are read and kept, and nothing
 * runs them. Beware of the defaults: without `lvs_method` a server is reached by NAT here, with ipvsadm by DR.
 *
 * Differences, all on the strict side: an unknown word and a value out of range are errors, a bare address without a port
 * needs persistence. `~SEQ`, `~LST`, `${_ENV}` and `${_RANDOM}` are refused.
 *
 * ```ts
 * const config = parseKeepalived(readFileSync('keepalived.conf', 'utf8'), { file: 'keepalived.conf' });
 * applyRules(director, config.rules);
 * ```
 *
 * @module
 */
import type { RuleCommand } from '../rule.js';
import { type KeepalivedService, readConfig } from './config.js';
import type { KeepalivedOptions } from './lines.js';
import { type Problem, throwFirst } from './problems.js';
import { destsOf } from './services.js';

export type { KeepalivedChecker } from './checkers.js';
export type { KeepalivedService } from './config.js';
export type { KeepalivedLocalAddress } from './group.js';
export type { IncludedFile, KeepalivedOptions } from './lines.js';
export type { Problem } from './problems.js';
export type { KeepalivedServer } from './server.js';
export { type KeepalivedRules, keepalivedServices } from './services.js';
export type { KeepalivedStatement } from './tree.js';

/** What a keepalived.conf says about IPVS. */
export interface KeepalivedConfig {
  /** In the order of the file, those of a group in its order. */
  readonly services: readonly KeepalivedService[];
  /** What makes a director of it with all servers alive; `keepalivedServices` has them for any other state. */
  readonly rules: readonly RuleCommand[];
  /** What was ignored or is probably not meant. */
  readonly warnings: readonly Problem[];
}

/**
 * Reads a keepalived.conf.
 *
 * @throws RuleError for the first mistake, with its file and line
 */
export function parseKeepalived(text: string, options: KeepalivedOptions = {}): KeepalivedConfig {
  const { problems, ...config } = checkKeepalived(text, options);
  throwFirst(problems);
  return { ...config, warnings: problems };
}

/** The same with all mistakes instead of the first; `rules` are those that could be read. */
export function checkKeepalived(
  text: string,
  options: KeepalivedOptions = {},
): Omit<KeepalivedConfig, 'warnings'> & { readonly problems: readonly Problem[] } {
  const { services, timeouts, problems } = readConfig(text, options);
  const rules: RuleCommand[] = timeouts === undefined ? [] : [{ command: 'set', ...timeouts }];
  for (const service of services) {
    const { at, key, settings, localAddresses } = service;
    rules.push({ at, command: 'add-service', service: { ...key, ...settings } });
    for (const local of localAddresses) {
      rules.push({ at: local.at, command: 'add-laddr', service: key, address: local.address });
    }
    for (const [server, dest] of destsOf(service, () => true)) {
      rules.push({ at: server.at, command: 'add-server', service: key, dest });
    }
  }
  return { services, rules, problems };
}
