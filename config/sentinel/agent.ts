import type { Address } from '../schema/address.ts'
import { addressOrUrl } from '../schema/address.ts'
import type { Here } from '../schema/read-block.ts'
import { block, named, optionalBlock } from '../schema/blocks.ts'
import { anything, json, list, map, optional, required, setting } from '../schema/fields.ts'
import { durationWithin, sizeWithin } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { anyText, bool, integer, oneOf, path, text, words } from '../schema/values.ts'
import { token } from './types.ts'

export type Transport =
  | { readonly kind: 'unix', /** Without one the proxy makes a private socket. */ readonly path: string | undefined }
  | { readonly kind: 'grpc', readonly address: Address }

export const failureMode = words(['closed', 'open'], { also: { closed: ['fail-closed'], open: ['fail-open'] } })
export const mode = words(['enforce', 'monitor', 'shadow', 'dry-run'], { also: { monitor: ['audit'] } })

const events = words(['request_headers', 'request_body', 'response_headers', 'response_body', 'complete'], {
  also: { complete: ['log', 'request_complete'] },
  notBuilt: { websocket_frame: null, web_socket_frame: null, guardrail: null },
})

const plainBodyMode = words(['buffer', 'stream'], { notBuilt: { hybrid: 'buffer' } })

/** `hybrid:65536` is a word with a number in it. */
const bodyMode: typeof plainBodyMode = {
  ...plainBodyMode,
  parse: (raw, context) => plainBodyMode.parse(typeof raw === 'string' ? raw.replace(/^hybrid:\d+$/, 'hybrid') : raw, context),
}

/** The kernel keeps 108 bytes for the path of a socket, with a zero at the end. */
const socketPath: ValueType<string> = {
  ...path,
  expected: 'the path of a socket',
  parse (raw, context) {
    const result = path.parse(raw, context)
    if ('wrong' in result) return result
    return Buffer.byteLength(result.value) > 107 ? { wrong: 'a socket path has at most 107 bytes' } : result
  },
}

const endpoint: ValueType<Transport> = {
  name: 'endpoint',
  expected: 'unix:///path or grpc://host:port',
  json: { type: 'string' },
  parse (raw, context) {
    if (typeof raw !== 'string') return unfit
    if (/^unix:(?:\/\/)?\//.test(raw)) {
      const result = socketPath.parse(raw.replace(/^unix:(?:\/\/)?/, ''), context)
      return 'wrong' in result ? result : { value: { kind: 'unix', path: result.value } }
    }
    const result = addressOrUrl.parse(raw, context)
    return 'wrong' in result ? result : { value: { kind: 'grpc', address: result.value } }
  },
}

const transports = {
  unixSocket: optionalBlock({ path: required(socketPath, 'Path of the socket.') }, 'Socket the agent listens on.', { args: ['path'], aliases: ['socket', 'socket-path'] }),
  grpc: optionalBlock({
    address: required(addressOrUrl, 'Host and port.'),
    tls: anything('Speak TLS.', { aliases: ['tls-insecure', 'insecure-skip-verify'], refuse: true }),
    caCert: anything('Authorities to trust.', { refuse: true }),
    clientCert: anything('Certificate to show.', { refuse: true }),
    clientKey: anything('Its key.', { refuse: true }),
  }, 'Address the agent listens on.', { args: ['address'], aliases: ['address'] }),
  transport: optionalBlock({
    kind: required(words(['unix-socket', 'grpc'], { also: { 'unix-socket': ['unix', 'uds'] }, refused: { http: 'agents over HTTP are not built' } }), 'unix-socket or grpc.'),
    path: optional(socketPath, 'Path of the socket.'),
    address: optional(addressOrUrl, 'Host and port.'),
  }, 'Another form of `unix-socket` and `grpc`.', { args: ['kind'] }),
  endpoint: optional(endpoint, 'Another form of `unix-socket` and `grpc`.'),
  http: anything('Agents over HTTP.', { refuse: true }),
}

const body = sizeWithin('1')

const fields = {
  type: optional(text, 'Which agent it is; its own name without one. `waf` and `denylist` are built in.'),
  ...transports,
  managed: optional(bool, 'Whether the proxy starts and supervises it. Without it: if there is a `command` or the type is built in, and nobody serves the socket yet.'),
  command: list(text, [], 'Program to start, with its arguments.'),
  env: map(anyText, 'Environment of the program, beside PATH, HOME, language and time zone: the rest of the proxy\'s stays with the proxy.'),
  events: list(events, [], 'What it is asked about; without them what the agent itself says.'),
  timeout: setting(durationWithin('1ms'), '1s', 'Time for one decision, from asking to applying.', { aliases: ['timeout-ms'] }),
  maxTimeout: optional(durationWithin('1ms'), 'How long one decision may take at the most when the agent asks for more time; `timeout` without it.'),
  failureMode: setting(failureMode, 'closed', 'What a missing decision means: closed = refuse, open = go on.'),
  mode: setting(mode, 'enforce', 'enforce = decisions count, monitor = asked and recorded only, shadow = asked without waiting, dry-run = recorded and told in a header.'),
  maxRequestBodySize: setting(body, '1MiB', 'Most of a request body that is given to the agent.', { aliases: ['max-request-body-bytes', 'max-body-bytes'] }),
  maxResponseBodySize: setting(body, '1MiB', 'Most of an answer\'s body that is given to the agent.', { aliases: ['max-response-body-bytes'] }),
  requestBodyMode: optional(bodyMode, 'Give request bodies whole (buffer) or in pieces (stream); without it what the agent itself says.'),
  responseBodyMode: optional(bodyMode, 'Give bodies of answers whole (buffer) or in pieces (stream); without it what the agent itself says.'),
  bodyOver: setting(oneOf('block', 'prefix', 'skip'), 'block', 'What a body over the limit means: refuse, show only the beginning, or show none of it.'),
  maxConcurrentCalls: setting(integer(1, 1_000_000), 100, 'Decisions that are waited for at a time.'),
  maxQueuedCalls: setting(integer(0, 1_000_000), 100, 'Questions that wait for their turn; more fail at once.'),
  connections: setting(integer(1, 64), 1, 'Connections to the agent.', { aliases: ['pool-size', 'connections-per-agent'] }),
  setsHeaders: list(token, [], 'Header fields only this agent may set: what clients send under these names is removed.'),
  config: json('Settings of the agent itself: handed on as JSON and checked by the agent.'),
  restart: block({
    initialDelay: setting(durationWithin('1ms'), '100ms', 'Wait before the first restart.'),
    maxDelay: setting(durationWithin('1ms'), '10s', 'Longest wait between restarts.'),
  }, 'Starting it again when it ends.', {
    build (value, here) {
      if (value.initialDelay > value.maxDelay) here.report.error('CONFIG_CONTRADICTION', `'initial-delay' of ${here.scope} is longer than 'max-delay'`, here.where('initialDelay'))
      return value
    },
  }),
  script: anything('Program text for a script agent.'),
  host: anything('Put several agents into one process.'),
  against: anything('Compare with another agent.'),
  circuitBreaker: anything('Leave a failing agent alone for a while.'),
  chunkTimeout: anything('Time for one piece of a body.', { aliases: ['chunk-timeout-ms'] }),
  protocolVersion: anything('Version of the protocol: agreed on when connecting.'),
  pool: anything('Older form of `connections`.'),
  restartPolicy: anything('When to start it again.'),
  restartDelayMs: anything('Older form of `restart`.'),
  maxRestarts: anything('How often to start it again.'),
  healthCheck: anything('Ask whether it is well.'),
  retry: anything('Ask again when it fails.'),
  tls: anything('Older place of the transport\'s settings.', { refuse: true }),
  binaryUds: anything('Older transport.'),
  bufferSize: anything('Older transport.'),
  http2: anything('Older transport.'),
  connectTimeout: anything('Time for connecting.', { aliases: ['connect-timeout-ms'] }),
  eventTimeouts: anything('A time for each event.'),
}

/** Agent types that come with the proxy. */
export const builtInAgents: ReadonlySet<string> = new Set(['waf', 'denylist'])

export const agents = named('agent', fields, 'Programs that decide.', {
  build (value, here) {
    const { unixSocket, grpc, transport, endpoint: end, events: wanted, ...agent } = value
    const type = agent.type ?? agent.id
    checkTimes(agent, here)
    return {
      ...agent,
      type,
      transport: chosenTransport({ unixSocket, grpc, transport, end }, type, agent, here),
      events: here.given('events') ? wanted : undefined,
    }
  },
})

interface GivenTransports {
  readonly unixSocket: { readonly path: string } | undefined
  readonly grpc: { readonly address: Address } | undefined
  readonly transport: { readonly kind: 'unix-socket' | 'grpc', readonly path: string | undefined, readonly address: Address | undefined } | undefined
  readonly end: Transport | undefined
}

interface Management {
  readonly managed: boolean | undefined
  readonly command: readonly string[]
}

function chosenTransport (given: GivenTransports, type: string, agent: Management, here: Here<typeof fields>): Transport {
  const names = (['unixSocket', 'grpc', 'transport', 'endpoint'] as const).filter(name => here.given(name))
  const [, second] = names
  if (second !== undefined) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has more than one transport`, here.where(second))
  checkManagement(names.length > 0 || here.given('http'), type, agent, here)
  if (given.unixSocket !== undefined) return { kind: 'unix', path: given.unixSocket.path }
  if (given.grpc !== undefined) return grpcTransport(given.grpc.address, agent, here.where('grpc'), here)
  if (given.end !== undefined) return given.end
  const { transport } = given
  if (transport?.kind === 'unix-socket') {
    if (transport.path === undefined) here.report.error('CONFIG_MISSING', `the transport of ${here.scope} needs 'path'`, here.where('transport'))
    return { kind: 'unix', path: transport.path }
  }
  if (transport?.kind === 'grpc') {
    if (transport.address !== undefined) return grpcTransport(transport.address, agent, here.where('transport'), here)
    here.report.error('CONFIG_MISSING', `the transport of ${here.scope} needs 'address'`, here.where('transport'))
  }
  return { kind: 'unix', path: undefined }
}

function grpcTransport (address: Address, agent: Management, at: Here<typeof fields>['at'], here: Here<typeof fields>): Transport {
  if (agent.managed === true || agent.command.length > 0) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} is started by the proxy: it is reached over a socket, not over an address`, at, 'leave out the transport')
  }
  return { kind: 'grpc', address }
}

function checkManagement (hasTransport: boolean, type: string, agent: Management, here: Here<typeof fields>): void {
  const builtIn = builtInAgents.has(type)
  const hands = agent.managed === false || (agent.managed === undefined && !builtIn && agent.command.length === 0)
  if (agent.managed === false && agent.command.length > 0) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a command, but 'managed' says that the proxy must not start it`, here.where('managed'))
  }
  if (agent.managed === true && !builtIn && agent.command.length === 0) {
    here.report.error('CONFIG_MISSING', `${here.scope} needs 'command': no agent of type '${type}' is built in`, here.where('managed'))
  }
  if (hands && !hasTransport) {
    here.report.error('CONFIG_MISSING', `${here.scope} requires a transport: nothing says how to reach it`, here.at, 'write unix-socket "/path" or grpc "host:port", or a command to start')
  } else if (hands && agent.managed === undefined) {
    here.report.warning('CONFIG_NOT_BUILT', `no agent of type '${type}' is built in: ${here.scope} has to be started by somebody else`, here.given('type') ? here.where('type') : here.at, 'write managed #false when that is meant')
  }
}

function checkTimes (agent: { readonly timeout: number, readonly maxTimeout: number | undefined }, here: Here<typeof fields>): void {
  if (agent.maxTimeout !== undefined && agent.maxTimeout < agent.timeout) {
    here.report.error('CONFIG_CONTRADICTION', `'max-timeout' of ${here.scope} is shorter than 'timeout'`, here.where('maxTimeout'))
  }
}
