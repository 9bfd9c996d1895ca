import {
  AgentFailure, defineAgent, type Agent, type AgentRequest, type AgentResponse, type Context, type Decision, type MaybeMessageAnswer, type WebSocketMessage,
} from 'sentinel/sdk'
import { payloadOf, type Occasion } from './calls.ts'
import { applyEdits, decisionOf, messageAnswerOf } from './decisions.ts'
import { Desk, type Deployed } from './desk.ts'
import type { Answered } from './runner.ts'
import { settings, type Settings } from './settings.ts'

type JsContext = Context<Settings, Deployed>

/** What a script may remember of an exchange from one call to the next, as JSON. */
const mostMemory = 64 * 1024
const remembered = Symbol('memory of the script')

/** The agent, and what ends its workers. `env` is what the operator may let scripts read; `beginAnew` ends the process, to be started again. */
export function jsAgent (env: Readonly<Record<string, string | undefined>>, beginAnew: () => void): { readonly agent: Agent, close (): void } {
  const desk = new Desk(env, beginAnew)
  return { agent: agentOf(desk), close: () => desk.close() }
}

/** Runs a script of the operator's: every call goes to the version that is in use at the time. */
function agentOf (desk: Desk): Agent {
  /** Nothing waits, not even for a microtask, where the script has no such function. */
  const called = (occasion: Occasion, context: JsContext): Promise<Decision | undefined> | undefined =>
    desk.current.deployment.has(occasion.hook) ? answered(desk.current, occasion, context) : undefined
  return defineAgent({
    name: 'js',
    version: '0.1.0',
    config: settings,
    prepare: (config) => desk.prepare(config),
    onConfigure (_, { validateOnly, state, log }) {
      if (!validateOnly) desk.adopt(state, log)
    },
    /** A body is not even held where the script has no function for it. */
    concerns () {
      const { deployment } = desk.current
      return {
        requestBody: deployment.has('onRequestBody'), response: deployment.has('onResponse'), responseBody: deployment.has('onResponseBody'),
        messages: deployment.has('onWebSocketMessage'),
      }
    },
    onRequest: (request, context) => called({ hook: 'onRequest', request }, context),
    onRequestBody: (body, request, context) => called({ hook: 'onRequestBody', request, body }, context),
    onResponse: (response, request, context) => called({ hook: 'onResponse', request, response }, context),
    onResponseBody: (body, response, request, context) => called({ hook: 'onResponseBody', request, response, body }, context),
    onWebSocketMessage: (message, request, context) =>
      desk.current.deployment.has('onWebSocketMessage') ? answeredMessage(desk.current, message, request, context) : undefined,
  })
}

async function answered (deployed: Deployed, occasion: Occasion, context: JsContext): Promise<Decision | undefined> {
  const came = await answerTo(deployed, occasion, context)
  const { request, response }: { request: AgentRequest, response?: AgentResponse } = occasion
  applyEdits(request.headers, came.result.request, deployed.file)
  applyEdits(response?.headers, came.result.response, deployed.file)
  return decisionOf(came, deployed.file)
}

async function answeredMessage (deployed: Deployed, message: WebSocketMessage, request: AgentRequest, context: JsContext): Promise<MaybeMessageAnswer> {
  const came = await answerTo(deployed, { hook: 'onWebSocketMessage', request, message, body: message.data }, context)
  if (came.result.last === true) message.done()
  return messageAnswerOf(came, deployed.file)
}

async function answerTo ({ deployment, file }: Deployed, occasion: Occasion, context: JsContext): Promise<Answered> {
  // Only this program sets it.
  const memory = context.memory.get(remembered) as string | undefined
  const came = await deployment.call({ payload: payloadOf({ ...occasion, memory }), store: context.store }, context)
  const left = came.result.memory
  if (left !== undefined) {
    if (left.length > mostMemory) throw new AgentFailure('script_error', `${file}: 'memory' holds more than ${mostMemory / 1024} KiB as JSON`)
    context.memory.set(remembered, left)
  }
  return came
}
