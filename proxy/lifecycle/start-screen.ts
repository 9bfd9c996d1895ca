import { peerMatcher } from '../../config/schema/index.ts'
import { schemeOf, type ListenerConfig, type SentinelConfig } from '../../config/sentinel/index.ts'
import type { StatusJson } from '../admin/status.ts'

interface Extra {
  readonly config: Pick<SentinelConfig, 'listeners'>
  readonly pid: number
  /** Address of the metrics, when they are served. */
  readonly metrics: string | undefined
  readonly notes: readonly string[]
}

/** What an operator sees when the proxy serves: one screen, from the same facts as `/status`. */
export function startScreen (status: StatusJson, extra: Extra): string {
  const { routes, agents, evidence } = status
  const listeners = status.listeners.flatMap(({ id, address }): Place[] =>
    extra.config.listeners.filter((one) => one.id === id).map((config) => ({ id, address, config })))
  const rows: Array<readonly [label: string, lines: readonly string[]]> = [
    ['config', [`${status.config.file}  (version ${status.config.version})`]],
    ['listeners', listeners.map((l) => `${l.id.padEnd(widest(listeners))}  ${placeOf(l)}`)],
    ['routes', routes.map((r) => `${r.id.padEnd(widest(routes))}  ${[...r.agents, r.upstream ?? r.responds ?? '(not built)'].join(' → ')}`)],
    ['discovery', status.upstreams.flatMap((u) => u.discovery === undefined ? [] : [discoveryLine(u.id, u.targets.length, u.discovery)])],
    ['agents', agents.map((a) => `${a.id.padEnd(widest(agents))}  ${agentLine(a)}`)],
    ['metrics', [extra.metrics === undefined ? 'off' : `http://${extra.metrics}/metrics`]],
    ['evidence', [evidence === undefined ? 'off' : evidence.file]],
    ['notes', extra.notes],
    ['stop', [`Ctrl-C, or kill ${extra.pid}; reload: kill -HUP ${extra.pid}`]],
    ['try', listeners.toSorted((a, b) => needsOf(a).length - needsOf(b).length).slice(0, 1).map((l) => ['curl', ...needsOf(l), urlOf(l)].join(' '))],
  ]
  return `\n  Sentinel ${status.version}  (node ${status.node})\n\n` + rows.filter(([, lines]) => lines.length > 0).map(([label, lines]) =>
    lines.slice(0, 20).map((line, i) => `  ${(i === 0 ? label : '').padEnd(11)}${line}\n`).join('') +
    (lines.length > 20 ? `  ${''.padEnd(11)}… and ${lines.length - 20} more\n` : '')).join('') + '\n'
}

function widest (items: ReadonlyArray<{ readonly id: string }>): number {
  return Math.max(...items.map(({ id }) => id.length))
}

function discoveryLine (id: string, targets: number, { kind, state, problem }: NonNullable<StatusJson['upstreams'][number]['discovery']>): string {
  const found = targets === 0 ? 'no targets yet: requests get 503' : `${targets} target${targets === 1 ? '' : 's'}`
  return [id, kind, found, ...state === 'found' ? [] : [state], ...problem === undefined ? [] : [problem]].join('  ')
}

function agentLine (a: StatusJson['agents'][number]): string {
  const more = [...a.mode === 'enforce' ? [] : [a.mode], ...a.problem === undefined ? [] : [a.problem]]
  return [a.state.padEnd(8), whose(a), `fails ${a.failure_mode}`, ...more].join('  ')
}

function whose (agent: StatusJson['agents'][number]): string {
  return agent.managed ? `pid ${agent.pid ?? '–'}`.padEnd(11) : 'external   '
}

interface Place {
  readonly id: string
  /** As bound. */
  readonly address: string
  readonly config: ListenerConfig
}

function placeOf ({ address, config }: Place): string {
  const where = address.startsWith('unix:') ? `${schemeOf(config)} on ${address}` : `${schemeOf(config)}://${address}`
  return config.protocol === 'h2' ? `${where}  (HTTP/2 as well)` : where
}

/** What curl has to be told so that this listener answers; the fewer, the better for a first try. */
function needsOf ({ config: { tls, proxyProtocol } }: Place): string[] {
  return [
    ...tls === undefined ? [] : ['-k'],
    ...proxyProtocol?.required === true && peerMatcher(proxyProtocol.from)('127.0.0.1') ? ['--haproxy-protocol'] : [],
    ...tls?.clientAuth === 'required' ? ['--cert CLIENT.crt', '--key CLIENT.key'] : [],
  ]
}

function urlOf ({ address, config }: Place): string {
  return address.startsWith('unix:') ? `--unix-socket ${address.slice('unix:'.length)} ${schemeOf(config)}://localhost/` : `${schemeOf(config)}://${reachable(address)}/`
}

/** An address that a client on this machine can use: a listener on all addresses is reached on loopback. */
function reachable (address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}
