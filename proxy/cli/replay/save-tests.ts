import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EventOneOf, HeaderEdit, ReplyOneOf } from '../../../proto/codec/index.ts'
import { eventFrom, replyFrom } from '../../../proto/message-json.ts'
import { REDACTED } from '../../observe/redact.ts'
import type { AgentCase, AskedCase, Case, Cases } from './cases.ts'

export interface SaveOptions {
  readonly folder: string
  /** Which of the recorded agents. */
  readonly agent: string | undefined
  /** What the tests import. */
  readonly module: string
}

/** Writes one file for each case, and a test that puts them all to the agent of a module. A sentence when it cannot be. */
export function saveTests ({ cases }: Cases, { folder, agent, module }: SaveOptions): { readonly cases: number, readonly left: number } | string {
  const names = [...new Set(cases.flatMap(({ agents }) => agents.map((one) => one.agent)))]
  if (agent === undefined && names.length > 1) return `the agents ${names.join(', ')} were recorded: say with --as whose tests these are`
  const name = agent ?? names[0]
  if (name === undefined || !names.includes(name)) return `no agent '${name ?? ''}' was recorded; there are: ${names.join(', ')}`
  const made = cases.flatMap((one) => {
    const found = one.agents.find((of) => of.agent === name)
    const saved = found === undefined ? undefined : savedCase(one, found)
    return saved === undefined ? [] : [saved]
  })
  try {
    // Old ones among the new would be tested with them.
    if (existsSync(join(folder, 'cases')) && readdirSync(join(folder, 'cases')).length > 0) return `${join(folder, 'cases')} holds cases already; remove them, or name another folder`
    mkdirSync(join(folder, 'cases'), { recursive: true })
    for (const [i, saved] of made.entries()) writeFileSync(join(folder, 'cases', `${String(i + 1).padStart(4, '0')}.json`), `${JSON.stringify(saved, null, 2)}\n`, { mode: 0o600 })
    writeFileSync(join(folder, 'replay.test.mjs'), testText(module))
  } catch (error) {
    return `${folder} cannot be written: ${error instanceof Error ? error.message : String(error)}`
  }
  return { cases: made.length, left: cases.filter(({ agents }) => agents.some((of) => of.agent === name)).length - made.length }
}

interface Phase {
  readonly head: EventOneOf | undefined
  readonly body: string | undefined
  readonly replies: readonly ReplyOneOf[]
}

/** `undefined` when nothing was decided, or what was shown is not in the file. */
function savedCase (one: Case, { asked }: AgentCase): object | undefined {
  const [request, response] = [phaseOf(asked, 'request'), phaseOf(asked, 'response')]
  if (request.head?.kind !== 'request_headers' || request.replies.length === 0) return undefined
  const expected = expectedOf(request.replies)
  const missing = [...one.missing, ...JSON.stringify(expected).includes(REDACTED) ? ['what it said'] : []]
  const { method, rawPath, query, scheme, authority, headers, clientIp, route, attributes } = request.head.value
  return {
    name: one.line, recorded: one.at, ...missing.length === 0 ? {} : { uncertain: missing },
    request: {
      method, url: `${scheme}://${authority === '' ? 'agent.test' : authority}${rawPath}${query === '' ? '' : `?${query}`}`, headers: pairsOf(headers), ip: clientIp, route,
      attributes: Object.fromEntries(attributes), ...request.body === undefined ? {} : { body: request.body },
    },
    expected,
    ...response.head?.kind !== 'response_headers' || response.replies.length === 0 ? {} : {
      response: {
        status: response.head.value.status, headers: pairsOf(response.head.value.headers), ...response.body === undefined ? {} : { body: response.body },
      },
      expectedResponse: expectedOf(response.replies),
    },
  }
}

function phaseOf (asked: readonly AskedCase[], side: 'request' | 'response'): Phase {
  const events = asked.map((one) => ({ ...one, event: eventFrom(one.event) })).filter(({ event }) => event.kind?.startsWith(`${side}_`) === true)
  const data = events.flatMap(({ event }) => event.kind === 'request_body' || event.kind === 'response_body' ? [event.value.data] : [])
  return {
    head: events.find(({ event }) => event.kind === `${side}_headers`)?.event,
    body: data.length === 0 ? undefined : Buffer.concat(data).toString('latin1'),
    replies: events.flatMap(({ reply }) => reply === undefined ? [] : [replyFrom(reply)]),
  }
}

/** As the harness of the sdk tells it, of which a test looks at what is stable. */
function expectedOf (replies: readonly ReplyOneOf[]): object {
  const decisions = replies.flatMap((reply) => reply.kind === 'decision' ? [reply.value] : [])
  const last = replies.findLast(({ kind }) => kind === 'decision' || kind === 'error')
  const audit = decisions.findLast((decision) => decision.audit !== undefined)?.audit
  const decision = last?.kind === 'decision' ? last.value : undefined
  return {
    kind: last?.kind === 'error' ? 'error' : decision?.kind ?? 'allow',
    status: decision?.kind === 'block' || decision?.kind === 'redirect' ? decision.value.status : decision?.kind === 'challenge' ? 401 : 0,
    location: decision?.kind === 'redirect' ? decision.value.location : '',
    requestHeaders: decisions.flatMap(({ requestHeaders }) => requestHeaders.map(editOf)),
    responseHeaders: decisions.flatMap(({ responseHeaders }) => responseHeaders.map(editOf)),
    attributes: Object.fromEntries(decisions.flatMap(({ attributes }) => [...attributes])),
    reason: audit?.reason ?? '',
    ruleIds: audit?.ruleIds ?? [],
  }
}

function editOf ({ action, name, value }: HeaderEdit): object {
  return { action, name, value }
}

function pairsOf (lines: readonly string[]): string[][] {
  return Array.from({ length: lines.length / 2 }, (_, i) => [lines[2 * i]!, lines[2 * i + 1]!])
}

function testText (module: string): string {
  return `// Made by sentinel replay --save: what the agent decided when it was recorded. Run it with: sentinel agent test
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { testAgent } from 'sentinel/sdk/testing'
import * as module from ${JSON.stringify(module)}

const here = dirname(fileURLToPath(import.meta.url))
const agent = module.default ?? module.agent ?? Object.values(module).find((value) => typeof value === 'object' && value !== null && 'definition' in value)
// The config block of the agent as JSON, when it needs one.
const config = existsSync(join(here, 'config.json')) ? JSON.parse(readFileSync(join(here, 'config.json'), 'utf8')) : {}

for (const file of readdirSync(join(here, 'cases')).sort()) {
  const { name, uncertain, request, expected, response, expectedResponse } = JSON.parse(readFileSync(join(here, 'cases', file), 'utf8'))
  // What was taken out of the recording may have decided: such a case tells, and fails nothing.
  const options = uncertain === undefined ? {} : { todo: \`uncertain: \${uncertain.join(', ')}\` }
  test(\`\${file}: \${name}\`, options, async () => {
    const tested = await testAgent(agent, { config })
    const { method, url, body, ...init } = request
    const exchange = await tested.request(method, url, { ...init, ...body === undefined ? {} : { body: Buffer.from(body, 'latin1') } })
    assert.deepEqual(seen(exchange), expected)
    if (response === undefined) return
    const { status, body: answer, ...answerInit } = response
    const verdict = await exchange.respond(status, { ...answerInit, ...answer === undefined ? {} : { body: Buffer.from(answer, 'latin1') } })
    assert.deepEqual(seen(verdict), expectedResponse)
  })
}

function seen ({ kind, status, location, requestHeaders, responseHeaders, attributes, audit: { reason, ruleIds } }) {
  return { kind, status, location, requestHeaders, responseHeaders, attributes, reason, ruleIds }
}
`
}
