/**
 * Parsed rules onto a director.
 *
 * @module
 */
import { IpvsError } from '../errors.js';
import type { DestConfig, DestKey, ServiceConfig, ServiceKey } from '../types.js';
import { RuleError } from './error.js';
import { inOptions } from './refusals.js';
import type { RuleCommand } from './rule.js';

/** What rules are applied to: the `Director`, or the reference. */
export interface RuleTarget {
  addService(service: ServiceConfig): void;
  editService(service: ServiceConfig): void;
  deleteService(key: ServiceKey): void;
  clear(): void;
  addDest(service: ServiceKey, dest: DestConfig): void;
  editDest(service: ServiceKey, dest: DestConfig): void;
  deleteDest(service: ServiceKey, dest: DestKey): void;
  /** Puts one more behind those that FullNAT has for the service. */
  addLocalAddress(service: ServiceKey, address: string): void;
  deleteLocalAddress(service: ServiceKey, address: string): void;
  /** Of one service with its dests, or of all. */
  zeroStats(service?: ServiceKey): void;
  /** Seconds; a timeout left out stays as it is. */
  setTimeouts(timeouts: { tcp?: number; tcpfin?: number; udp?: number }): void;
}

/**
 * Runs the commands in order, like so many calls of ipvsadm. The first refusal ends it; what came before stays done.
 *
 * @throws RuleError with the file and line of the refused command and the target's own error as `cause`.
 */
export function applyRules(target: RuleTarget, commands: Iterable<RuleCommand>): void {
  for (const command of commands) {
    try {
      applyRule(target, command);
    } catch (error) {
      if (!(error instanceof IpvsError || error instanceof RangeError)) throw error;
      throw new RuleError(command.at.file, command.at.line, undefined, inOptions(error.message), { cause: error });
    }
  }
}

/** Runs one of them. @throws what the target throws; RangeError for a lower threshold above the upper one */
export function applyRule(target: RuleTarget, rule: RuleCommand): void {
  switch (rule.command) {
    case 'add-service':
      target.addService(rule.service);
      break;
    case 'edit-service':
      target.editService(rule.service);
      break;
    case 'delete-service':
      target.deleteService(rule.service);
      break;
    case 'clear':
      target.clear();
      break;
    case 'add-server':
      checkThresholds(rule.dest);
      target.addDest(rule.service, rule.dest);
      break;
    case 'edit-server':
      checkThresholds(rule.dest);
      target.editDest(rule.service, rule.dest);
      break;
    case 'delete-server':
      target.deleteDest(rule.service, rule.dest);
      break;
    case 'add-laddr':
      target.addLocalAddress(rule.service, rule.address);
      break;
    case 'del-laddr':
      target.deleteLocalAddress(rule.service, rule.address);
      break;
    case 'zero':
      target.zeroStats(rule.service);
      break;
    case 'set':
      target.setTimeouts({
        ...(rule.tcp !== 0 && { tcp: rule.tcp }),
        ...(rule.tcpfin !== 0 && { tcpfin: rule.tcpfin }),
        ...(rule.udp !== 0 && { udp: rule.udp }),
      });
      break;
  }
}

/** The kernel refuses what ipvsadm lets through. */
function checkThresholds({ upperThreshold = 0, lowerThreshold = 0 }: DestConfig): void {
  if (lowerThreshold > upperThreshold) {
    throw new RangeError(
      `expected a lower threshold of at most the upper one (${upperThreshold}), got ${lowerThreshold}`,
    );
  }
}
