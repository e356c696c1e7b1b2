import { setTimeout as pause } from 'node:timers/promises';
import { v7 } from 'uuid';
import type { CommitParts } from './committer.ts';
import type { Database } from './database.ts';
import { GatewayRows } from './gateway-rows.ts';
import { SessionRows } from './session-rows.ts';
import type { GatewayStore, SessionStore } from './session-store.ts';

export type Store = SessionStore & GatewayStore;

/** The two ports over one PostgreSQL. Time and ids can be handed in. */
export function createStore(database: Database, options: Partial<Omit<CommitParts, 'database'>> = {}): Store {
  const clock = { now: () => new Date().toISOString(), newId: v7, random: Math.random, pause: (ms: number) => pause(ms) };
  const sessions = new SessionRows({ ...clock, ...options, database });
  const gateways = new GatewayRows(database);

  return {
    create: (session) => sessions.create(session),
    fork: (fork) => sessions.fork(fork),
    commit: (request, decide) => sessions.commit(request, decide),
    savePartial: (lease, messageId, parts) => sessions.savePartial(lease, messageId, parts),
    claimOwed: (node, limit) => sessions.claimOwed(node, limit),
    releaseAll: () => sessions.releaseAll(),
    renew: (node, leases) => sessions.renew(node, leases),
    release: (lease) => sessions.release(lease),
    load: (sessionId, ownerId) => sessions.load(sessionId, ownerId),
    list: (ownerId, page) => sessions.list(ownerId, page),
    delete: (sessionId, ownerId) => sessions.delete(sessionId, ownerId),
    page: (sessionId, range) => sessions.page(sessionId, range),
    eventsAfter: (sessionId, seq, limit) => sessions.eventsAfter(sessionId, seq, limit),
    pruneEvents: (before, cursor) => sessions.pruneEvents(before, cursor),
    historyAfter: (sessionId, afterSeq, limit) => sessions.historyAfter(sessionId, afterSeq, limit),
    turnCalls: (sessionId, messageId) => sessions.turnCalls(sessionId, messageId),
    findCall: (callId) => sessions.findCall(callId),
    openCallsOf: (gatewayId) => sessions.openCallsOf(gatewayId),
    places: (sessionIds, gatewayIds) => sessions.places(sessionIds, gatewayIds),
    overSessions: (ownerId, sessionIds) => sessions.overSessions(ownerId, sessionIds),
    rules: (ownerId) => sessions.rules(ownerId),
    revokeRule: (ownerId, ruleId) => sessions.revokeRule(ownerId, ruleId),
    touchRule: (ruleId, at) => sessions.touchRule(ruleId, at),
    machinesOf: (ownerId) => gateways.machinesOf(ownerId),
    put: (gateway) => gateways.put(gateway),
    forgetUnused: (ownerId, except) => gateways.forgetUnused(ownerId, except),
    find: (gatewayId, ownerId) => gateways.find(gatewayId, ownerId),
    putTools: (gatewayId, greeting, tools) => gateways.putTools(gatewayId, greeting, tools),
    lastGreeting: (gatewayId) => gateways.lastGreeting(gatewayId),
    seen: (gatewayId, at) => gateways.seen(gatewayId, at),
  };
}
