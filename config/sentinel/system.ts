import type { KdlNode } from '../kdl/nodes.ts'
import { block } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { inert, optional, setting } from '../schema/fields.ts'
import { duration, durationWithin } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { bool, existingFolder, integer, path, text, textLike, words } from '../schema/values.ts'
import { level } from './logs.ts'

/** Only 1.0 exists. A later minor version may know settings that this program does not: it loads, with a warning. */
export const schemaVersion: ValueType<string> = {
  name: 'version',
  expected: 'a version',
  example: '"1.0"',
  json: { type: 'string', pattern: '^\\d+\\.\\d+$' },
  parse (raw) {
    if (typeof raw !== 'string') return typeof raw === 'number' ? { wrong: '', hint: 'write "1.0" with quotes' } : unfit
    // Some files have the version of the program that they were written for.
    if (/^\d{1,4}\.\d{1,4}\.\d{1,4}$/.test(raw)) return { value: '1.0', notBuilt: 'it looks like the version of a program; the language is read as "1.0"' }
    const [, major, minor] = /^(\d{1,4})\.(\d{1,4})$/.exec(raw) ?? []
    if (major === undefined || minor === undefined) return unfit
    if (Number(major) < 1) return { wrong: 'it is older than 1.0, the first version' }
    return raw === '1.0' ? { value: raw } : { value: raw, notBuilt: 'this program knows version 1.0' }
  },
}

/** A path, or that there is none. */
const socketOrNone: ValueType<string | false> = {
  name: 'path',
  expected: 'a path or #false',
  example: '"/run/sentinel/control.sock", #false',
  json: { anyOf: [{ type: 'string', minLength: 1 }, { const: false }] },
  parse: (raw, context) => raw === false ? { value: false } : path.parse(raw, context),
}

const account = textLike('the name of an account', /^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/, '"sentinel"')

const fields = {
  workerThreads: setting(integer(0, 1024), 1, 'Processes that serve requests, side by side on the same sockets; 0 = one for each processor core, 1 = the process that was started does everything itself. Limits of connections, requests in flight and WebSockets count for all of them together, those of targets are shared out among them (no less than one for each), rate limits count for each.', { aliases: ['workers', 'worker-processes'] }),
  gracefulShutdownTimeout: setting(durationWithin('0s'), '30s', 'How long open requests may go on after a stop was asked for. Then streams of events end behind an event, WebSockets with 1001 (going away), and whatever is left is cut off.', { aliases: ['graceful-shutdown-timeout-secs'], bareUnitMs: 1000 }),
  shutdownDelay: setting(durationWithin('0s'), '0s', 'How long a stop goes on serving as before while `/ready` says that it is draining: the time load balancers need to send nobody here any more. It comes before `graceful-shutdown-timeout`.'),
  upgradeTimeout: setting(durationWithin('1s'), '30s', 'How long a new process may take until it serves, when it is to take over the sockets (`sentinel upgrade`, SIGUSR2). Otherwise it is ended, and the old one goes on.'),
  logLevel: optional(level, 'Older place of `observability { logging { level } }`, which counts when both are there.'),
  maxConnections: optional(integer(1, 10_000_000), 'Connections of all listeners together; more are closed as soon as they are accepted. `limits { max-total-connections }` limits those of each.'),
  zone: optional(text, 'Where this proxy runs, for locality-aware balancing; the environment variable SENTINEL_ZONE without it.'),
  instanceId: optional(text, 'What tells this proxy from others of the same configuration: which targets it keeps to follows from it (`load-balancing "deterministic-subset"`). Without it the environment variable SENTINEL_INSTANCE_ID, or the name of the machine.'),
  daemon: setting(bool, false, 'Go to the background: `sentinel run` ends when the proxy there serves, or with its exit code when it does not come to that. Its log goes on only into a file that standard error was sent to.'),
  pidFile: optional(path, 'File for the process id, from when requests are served until the end. One that names a living Sentinel keeps another from starting.'),
  user: optional(account, 'User to become once the sockets are bound, for which the program must be started as root. Log files are given to it; keys, agents and all else are read and run as this user.'),
  group: optional(account, 'Group to become along with `user`; the user\'s own without it.'),
  workingDirectory: optional(existingFolder, 'Folder to change to at start. Paths in the configuration do not depend on it.'),
  controlSocket: optional(socketOrNone, 'Where `sentinel reload`, `status`, `drain`, `stop` and `upgrade` find the running proxy. Without it a socket in a private folder, named after the configuration; #false: there is none.'),
  traceIdFormat: optional(words(['tinyflake', 'uuid'], { also: { uuid: ['uuid4', 'uuidv4'] } }), 'Form of request ids: tinyflake = 11 letters and digits, of which the first three come from the time, uuid = a random UUID. Without it 22 characters from 128 random bits.'),
  autoReload: setting(bool, false, 'Reload when a file of the configuration changes, appears or goes, certificates among them.'),
  routeCacheSize: inert(integer(1, 10_000_000), 'Results of route matching that are remembered.', 'the route is found by one walk over a tree, which costs no more than to remember it'),
  connectionTimeout: inert(duration, 'Older place of a listener\'s `request-timeout`.', 'each listener has a request-timeout of its own', { aliases: ['connection-timeout-secs', 'connection-timeout-ms'] }),
}

export const system = block(fields, 'The program as a whole.', {
  aliases: ['server'],
  example: `system {
    worker-threads 1
    graceful-shutdown-timeout "20s"
}`,
  build (value, here) {
    if (here.clean && value.group !== undefined && value.user === undefined) {
      here.report.error('CONFIG_CONTRADICTION', 'system has a group but no user: the program would keep the rights of root', here.where('group'), 'write user "…" as well')
    }
    return value
  },
})

/** `listen "0.0.0.0:8080"` in `system`, perhaps with a `tls` block of its own. */
function listenerOf (node: KdlNode, number: number): KdlNode {
  const [first] = node.args
  const address = typeof first?.value === 'number' ? { ...first, value: `0.0.0.0:${first.value}` } : first
  const inside = { name: 'address', at: node.at, args: address === undefined ? [] : [address], props: [], children: undefined }
  return { ...node, name: 'listener', args: [{ value: `listen-${number}`, at: node.at }], children: [inside, ...node.children ?? []] }
}

function listening (node: KdlNode): KdlNode[] {
  return (node.children ?? []).filter(({ name }) => name === 'listen')
}

const withListen: OlderForms[string] = {
  doc: 'write listeners { listener "name" { address "…" } }',
  when: node => listening(node).length > 0,
  into: node => [
    { ...node, children: (node.children ?? []).filter(({ name }) => name !== 'listen') },
    { name: 'listeners', at: node.at, args: [], props: [], children: listening(node).map((listen, index) => listenerOf(listen, index + 1)) },
  ],
}

export const olderSystem: OlderForms = { system: withListen, server: withListen }
