import { block, named } from '../schema/blocks.ts'
import { inert, json, list, map, optional, setting } from '../schema/fields.ts'
import { durationWithin, parseSize, size, sizeWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { anyText, bool, existingFile, integer, mention, oneOf, text, words } from '../schema/values.ts'
import { connections, eventTimeouts, healthCheck, pool, pooled, retry } from './agent-calls.ts'
import { may, see } from './agent-rules.ts'
import { olderRestart, restart } from './agent-process.ts'
import { chosenTransport, olderTransports, transports } from './agent-transport.ts'
import { builtInAgents } from './built-in-agents.ts'
import { agentCircuitBreaker } from './circuit-breaker.ts'
import { failureMode } from './failure-mode.ts'
import { token } from './types.ts'
import { checkScript, scriptOf } from './script-agent.ts'
import { withWasmAgents } from './wasm-agent.ts'

export { failureMode }
export const mode = words(['enforce', 'monitor', 'shadow', 'dry-run'], { also: { monitor: ['audit'] } })

const events = words([
  'request_headers', 'request_body', 'response_headers', 'response_body', 'websocket_message', 'tool_call', 'tool_result', 'guardrail', 'complete',
], {
  also: { complete: ['log', 'request_complete'], websocket_message: ['websocket_frame', 'web_socket_frame', 'web_socket_message'] },
})

/** Of a body in hybrid mode: the longest that is given whole. */
export interface HybridMode {
  readonly wholeBytes: number
}

const plainBodyMode = words(['buffer', 'stream'], {})
const hybridByDefault = 64 * 1024

/** `hybrid:65536` is a word with a number in it. */
const bodyMode: ValueType<'buffer' | 'stream' | HybridMode> = {
  ...plainBodyMode,
  name: 'body mode',
  expected: 'buffer, stream, hybrid or hybrid:SIZE',
  words: ['buffer', 'stream', 'hybrid'],
  json: { type: 'string', pattern: '^(?:buffer|stream|hybrid(?::\\d+(?:[KMG]i?B?)?)?)$' },
  parse (raw, context) {
    const [, size] = typeof raw === 'string' ? /^hybrid(?::(.*))?$/i.exec(raw) ?? [undefined, null] : [undefined, null]
    if (size === null) return plainBodyMode.parse(raw, context)
    const wholeBytes = size === undefined ? hybridByDefault : parseSize(size)
    return wholeBytes === undefined || wholeBytes < 1 ? { wrong: `${JSON.stringify(size)} is not a size`, hint: 'write hybrid:64KiB' } : { value: { wholeBytes } }
  },
}

const body = sizeWithin('1')
const wait = durationWithin('1ms')

const version: ValueType<string> = {
  ...text,
  expected: 'a version',
  json: { type: ['string', 'number'] },
  parse: (raw, context) => text.parse(typeof raw === 'number' ? String(raw) : raw, context),
}

const fields = {
  type: optional(text, 'Which agent it is; its own name without one. `waf`, `denylist` and `js` are built in.'),
  ...transports,
  managed: optional(bool, 'Whether the proxy starts and supervises it. Without it: if there is a `command` or the type is built in, and nobody serves the socket yet.'),
  command: list(text, [], 'Program to start, with its arguments.'),
  env: map(anyText, 'Environment of the program, beside PATH, HOME, language and time zone: the rest of the proxy\'s stays with the proxy.', { example: 'env { RUST_LOG "info"; API_KEY "${API_KEY}" }' }),
  events: list(events, [], 'What it is asked about; without them what the agent itself says. `websocket_message`, or `websocket_frame`, takes effect on routes with `websocket-inspection`. tool_call and tool_result are found in bodies of MCP and of APIs of language models; for guardrail, a route has to name the agent in `inference { guardrails }`, which is enough.'),
  timeout: setting(wait, '1s', 'Time for one decision, from asking to applying.', { aliases: ['timeout-ms'] }),
  maxTimeout: optional(wait, 'How long one decision may take at the most when the agent asks for more time; `timeout` without it.'),
  failureMode: setting(failureMode, 'closed', 'What a missing decision means: closed = refuse, open = go on.'),
  mode: setting(mode, 'enforce', 'enforce = decisions count, monitor = asked and recorded only, shadow = asked without waiting, dry-run = recorded and told in a header.'),
  maxRequestBodySize: optional(body, 'Most of a request body that is given to the agent; without it `limits { max-agent-body; max-body-inspection }` say so.', { aliases: ['max-request-body-bytes', 'max-body-bytes'] }),
  maxResponseBodySize: optional(body, 'Most of an answer\'s body that is given to the agent; without it `limits { max-agent-body; max-body-inspection }` say so.', { aliases: ['max-response-body-bytes'] }),
  requestBodyMode: optional(bodyMode, 'Give request bodies whole (buffer), in pieces (stream), or whole up to a length that is told beforehand and else in pieces (hybrid; 64KiB unless hybrid:SIZE says more); without it what the agent itself says.'),
  responseBodyMode: optional(bodyMode, 'The same for bodies of answers.'),
  bodyOver: optional(oneOf('block', 'prefix', 'skip'), 'What a body over the limit means: refuse (block), show only the beginning, or show none of it. Without it the agent says so of a limit of its own that is lower; what is over the limit here is refused.'),
  maxConcurrentCalls: setting(integer(1, 1_000_000), 100, 'Decisions that are waited for at a time.'),
  maxQueuedCalls: optional(integer(0, 1_000_000), 'Questions that wait for their turn; more fail at once. Without it `limits { max-agent-queue-depth }` counts.'),
  connections: setting(connections, 1, 'Connections to the agent.', { aliases: ['pool-size', 'connections-per-agent'] }),
  see,
  may,
  setsHeaders: list(token, [], 'Header fields only this agent may set: what clients send under these names is removed.'),
  config: json('Settings of the agent itself: handed on as JSON and checked by the agent.', { example: 'config { paranoia-level 2; exclude-rules 942100 }' }),
  restart,
  connectTimeout: setting(wait, '5s', 'Time for connecting, with the TLS handshake and the agent\'s description of itself.', { aliases: ['connect-timeout-ms'] }),
  pool,
  circuitBreaker: agentCircuitBreaker,
  healthCheck,
  retry,
  eventTimeouts,
  chunkTimeout: optional(wait, 'Time for the decision on one piece of a body that is given in pieces; what `event-timeouts` or `timeout` say without it.', { aliases: ['chunk-timeout-ms'] }),
  script: optional(existingFile, 'JavaScript or TypeScript that decides; for type "js", whose settings `config` has. The agent sees by itself when the file changes.'),
  host: optional(text, 'Process that the agent shares with all others that have a host of this name: memory for one in place of several, and one end for all of them. For agents that are built in, and for a `command` that is node and one JavaScript file.'),
  against: optional(mention('agent'), 'Another agent whose decisions are compared with this one\'s, where a route asks both: `sentinel_agent_comparisons_total` counts, the log tells what differs. It goes well with mode "shadow"; stand before the other in the route, so as to be asked about what that one refuses.'),
  protocolVersion: inert(version, 'Version of the protocol.', 'both sides agree on it when they connect'),
  binaryUds: inert(bool, 'Binary messages over the socket.', 'they always are'),
  bufferSize: inert(size, 'Bytes that are read at a time.', 'the system chooses'),
  http2: block({
    keepAliveInterval: setting(wait, '1s', 'Silence after which the agent is asked for a sign of life.', { aliases: ['keep-alive-interval-ms', 'keep-alive-interval-secs'] }),
    keepAliveTimeout: setting(wait, '2s', 'Time for that sign of life: one that gives none is asked nothing more until it does, and the connection ends after five times as long.', { aliases: ['keep-alive-timeout-ms', 'keep-alive-timeout-secs'] }),
    maxConcurrentStreams: inert(integer(1, 1_000_000), 'Streams of one connection.', 'all decisions go through one stream; see max-concurrent-calls'),
  }, 'Signs of life of the connection: a process that hangs keeps it open, and only silence tells.', { example: 'http2 { keep-alive-interval "10s" }' }),
}

export const agents = withWasmAgents(named('agent', fields, 'Programs that decide.', {
  older: { ...olderTransports, ...olderRestart },
  example: `agent "auth" type="auth" {
    unix-socket "/run/sentinel/auth.sock"
    managed #false
    events "request_headers"
    timeout "100ms"
    failure-mode "closed"
}`,
  build (value, here) {
    const { unixSocket, grpc, http, reverse, transport: _unknownKind, tls, events: wanted, pool: inPool, ...agent } = value
    const type = agent.type ?? ownName(agent.id, here.names)
    checkTimes(agent, here)
    checkManagement(type, agent, here)
    checkScript(type, agent, here)
    return {
      ...agent,
      ...pooled(inPool, agent, here),
      type,
      transport: chosenTransport({ unixSocket, grpc, http, reverse, tls }, here),
      events: here.given('events') ? wanted : undefined,
      script: agent.script === undefined ? undefined : scriptOf(agent.script, here.where('script')),
    }
  },
}))

/** Without the namespaces that it stands in. */
function ownName (id: string, names: string): string {
  return names !== '' && id.startsWith(`${names}:`) ? id.slice(names.length + 1) : id
}

interface Management {
  readonly managed: boolean | undefined
  readonly command: readonly string[]
}

function checkManagement (type: string, agent: Management, here: Here<typeof fields>): void {
  const builtIn = builtInAgents.has(type)
  const remote = (['grpc', 'http', 'reverse'] as const).find(name => here.given(name))
  const hasTransport = remote !== undefined || here.given('unixSocket') || here.given('transport')
  if (remote !== undefined && agent.managed === true && agent.command.length === 0 && builtIn) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} is started by the proxy: it is reached over a socket, not over an address`, here.where(remote), 'leave out the transport')
  }
  if (here.given('reverse') && (agent.managed === true || agent.command.length > 0)) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} connects to the proxy: the proxy does not start it`, here.where('reverse'), 'leave out managed and command')
    return
  }
  const hands = agent.managed === false || (agent.managed === undefined && !builtIn && agent.command.length === 0)
  if (agent.managed === false && agent.command.length > 0) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a command, but 'managed' says that the proxy must not start it`, here.where('managed'))
  }
  if (agent.managed === true && !builtIn && agent.command.length === 0) {
    here.report.error('CONFIG_MISSING', `${here.scope} needs 'command': no agent of type '${type}' is built in`, here.where('managed'))
  }
  if (hands && !hasTransport) {
    here.report.error('CONFIG_MISSING', `${here.scope} requires a transport: nothing says how to reach it`, here.at, 'write unix-socket "/path" or grpc "host:port", or a command to start')
  } else if (hands && agent.managed === undefined && !here.given('reverse')) {
    here.report.warning('CONFIG_NOT_BUILT', `no agent of type '${type}' is built in: ${here.scope} has to be started by somebody else`, here.given('type') ? here.where('type') : here.at, 'write managed #false when that is meant')
  }
}

function checkTimes (agent: { readonly timeout: number, readonly maxTimeout: number | undefined }, here: Here<typeof fields>): void {
  if (agent.maxTimeout !== undefined && agent.maxTimeout < agent.timeout) {
    here.report.error('CONFIG_CONTRADICTION', `'max-timeout' of ${here.scope} is shorter than 'timeout'`, here.where('maxTimeout'))
  }
}
