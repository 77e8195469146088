/**
 * Commands to the site. A command keeps its idempotency key through all tries: what an unreachable node may already have done
 * is not done twice. Commands of a call go to the node that owns it, which may change between two tries.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import { type Agent, AgentState, type Call } from '@/api/gen/trunkline/agent/v1/agent_pb'
import { FaultSchema } from '@/api/gen/trunkline/fault/v1/fault_pb'
import { uuidv7 } from './ids'
import { origin } from './model'
import type { AgentClient } from './stream'
import { type Timer, wait } from './timer'

export type Command =
  | { name: 'state'; state: 'ready' | 'not_ready'; reason: string }
  | { name: 'sign_out' }
  | { name: 'accept' | 'reject' | 'hangup'; callId: string }
  | { name: 'hold' | 'mute'; callId: string; on: boolean }
  | { name: 'digits'; callId: string; digits: string }
  | { name: 'transfer'; callId: string; to: TransferTarget }
  | { name: 'consult'; callId: string; agentId: string; agentName: string }
  | { name: 'end_consult'; callId: string }
  | { name: 'wrap_up'; callId: string; code: string; note: string; finish: boolean }

/** Exactly one of queue, agent and number; the name is for the screen. */
export interface TransferTarget {
  queueId?: string
  agentId?: string
  number?: string
  name: string
}

export interface Answer {
  agent?: Agent
  call?: Call
}

export interface Route {
  /** The node that owns the call now. */
  owner(callId: string): string | undefined
  /** All other nodes worth a try, best first. */
  others(): string[]
  connect(url: string): AgentClient
}

/** One try takes at most this long; all tries together at most patience. */
const tryWithin = 2_000
const patience = 5_000
const pause = 150

export async function execute(
  command: Command,
  route: Route,
  timer: Timer,
  now: () => number = () => performance.now(),
): Promise<Answer> {
  const key = uuidv7()
  // The call of a wrap-up is over: any node takes it.
  const live = 'callId' in command && command.name !== 'wrap_up' ? command.callId : undefined
  return persist((client) => send(client, command, key), live, route, timer, now)
}

/** Tries the call's owner, else each node in turn, until one answers or patience ends. */
export async function persist<T>(
  ask: (client: AgentClient) => Promise<T>,
  callId: string | undefined,
  route: Route,
  timer: Timer,
  now: () => number = () => performance.now(),
): Promise<T> {
  const end = now() + patience
  let told: string | undefined
  for (let tries = 0; ; tries++) {
    const url: string | undefined = told ?? pick(route, callId, tries)
    told = undefined
    try {
      if (!url) throw new ConnectError('no node known', Code.Unavailable)
      return await ask(route.connect(url))
    } catch (error) {
      told = elsewhere(error)
      if (now() >= end || !(again(error) || (told !== undefined && told !== url))) throw error
    }
    if (told === undefined) await wait(timer, pause, new AbortController().signal)
  }
}

/** The owner first; each third try asks another node, which knows when the owner is gone for good. */
function pick(route: Route, callId: string | undefined, tries: number): string | undefined {
  const owner = callId === undefined ? undefined : route.owner(callId)
  const others = route.others().filter((url) => url !== owner)
  if (owner !== undefined && (tries % 3 !== 2 || others.length === 0)) return owner
  return others[(owner === undefined ? tries : Math.floor(tries / 3)) % Math.max(others.length, 1)]
}

/** A node that does not own the call says who does. */
function elsewhere(error: unknown): string | undefined {
  const fault = error instanceof ConnectError ? error.findDetails(FaultSchema)[0] : undefined
  return fault?.messageKey === 'fault.call.elsewhere' && fault.params.node ? origin(fault.params.node) : undefined
}

/** The answer never came, or said to come again. */
function again(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false
  if (error.cause instanceof TypeError) return true
  return [Code.Unavailable, Code.DeadlineExceeded, Code.Aborted, Code.Unknown, Code.Canceled].includes(error.code)
}

async function send(client: AgentClient, command: Command, idempotencyKey: string): Promise<Answer> {
  const options = { timeoutMs: tryWithin }
  switch (command.name) {
    case 'state': {
      const state = command.state === 'ready' ? AgentState.READY : AgentState.NOT_READY
      return { agent: await client.setState({ state, reason: command.reason, idempotencyKey }, options) }
    }
    case 'sign_out':
      await client.signOut({}, options)
      return {}
    case 'accept':
      return { call: await client.accept({ callId: command.callId, idempotencyKey }, options) }
    case 'reject':
      await client.reject({ callId: command.callId, idempotencyKey }, options)
      return {}
    case 'hangup':
      await client.hangup({ callId: command.callId, idempotencyKey }, options)
      return {}
    case 'hold':
      return { call: await client.hold({ callId: command.callId, on: command.on, idempotencyKey }, options) }
    case 'mute':
      return { call: await client.mute({ callId: command.callId, on: command.on, idempotencyKey }, options) }
    case 'digits':
      await client.sendDigits({ callId: command.callId, digits: command.digits, idempotencyKey }, options)
      return {}
    case 'transfer': {
      const { queueId = '', agentId = '', number = '' } = command.to
      await client.transfer({ callId: command.callId, queueId, agentId, number, idempotencyKey }, options)
      return {}
    }
    case 'consult':
      return { call: await client.consult({ callId: command.callId, agentId: command.agentId, idempotencyKey }, options) }
    case 'end_consult':
      return { call: await client.endConsult({ callId: command.callId, idempotencyKey }, options) }
    case 'wrap_up': {
      const { callId, code, note, finish } = command
      return { agent: await client.wrapUp({ callId, code, note, finish, idempotencyKey }, options) }
    }
  }
}
