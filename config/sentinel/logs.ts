import type { KdlNode } from '../kdl/nodes.ts'
import { block, optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import type { Here } from '../schema/read-block.ts'
import { inert, list, optional, setting } from '../schema/fields.ts'
import { durationWithin, sizeWithin } from '../schema/quantities.ts'
import { bool, integer, oneOf, path, pathOr, text, words } from '../schema/values.ts'
import { logField, logTemplate, logVariables } from './log-fields.ts'
import { ratio, token } from './types.ts'

/** How important a record is. */
export const level = words(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], { also: { warn: ['warning'], error: ['err'], fatal: ['critical'] } })

const gathered = setting(sizeWithin('1KiB', '1MiB'), '64KiB', 'Lines are written when so many bytes of them have come, and after 20 ms in any case. 4 MiB may wait for a slow disk; what comes then is lost, counted and said.')

const rotateFields = {
  maxSize: optional(sizeWithin('1KiB'), 'Size from which the file is put aside. Looked at once a second.', { aliases: ['size'] }),
  maxAge: optional(durationWithin('1s'), 'Age from which it is.', { aliases: ['age', 'interval'] }),
  keep: setting(integer(0, 1000), 7, 'Files that are kept beside it; older ones are removed.', { aliases: ['max-files', 'max-backups', 'backups'] }),
  compress: setting(bool, true, 'Whether they are compressed with gzip.', { aliases: ['gzip'] }),
}

/** Present, a log is put aside by its size or age. */
const rotate = optionalBlock(rotateFields, 'Files are put aside as they grow large or old, as `access.log.20260102T120000Z.gz`. Without it that is left to others: SIGUSR1 opens files anew.', {
  example: 'rotate {\n    max-size "100MiB"\n    max-age "1d"\n    keep 14\n}',
  build (value, here) {
    if (here.clean && value.maxSize === undefined && value.maxAge === undefined) {
      here.report.error('CONFIG_MISSING', `${here.scope} says neither from which size nor from which age`, here.at, 'write max-size "100MiB" or max-age "1d"')
    }
    return value
  },
})

const accessLogFields = {
  enabled: setting(bool, true, 'Whether there is one.'),
  file: setting(pathOr('stdout', 'stderr'), 'stdout', 'Where to: a file, stdout or stderr.', { aliases: ['path'] }),
  format: setting(words(['json', 'combined', 'common', 'custom'], { also: { common: ['clf'], custom: ['template'] } }), 'json',
    'Form of a line: json has everything, combined and common (also called clf) are those of Apache, which name no agents, custom is that of `template`.'),
  template: optional(logTemplate, `A line of \`format "custom"\`. What comes from outside is escaped as Apache does it; what is missing is \`-\`. Besides the facts that header values may have there are ${Object.keys(logVariables).map(name => `\`${name}${name.endsWith('.') ? 'NAME' : ''}\``).join(', ')}.`),
  sampleRate: setting(ratio, 1, 'Share of the requests that get a line, chosen by their ids.', { aliases: ['sampling-rate'] }),
  alwaysLogErrors: setting(bool, true, 'Whether requests get a line in any case that ended in a fault or a status from 500 on, or were stopped by an agent.'),
  fields: list(logField, [], 'What a line of JSON has; everything without it.', { commas: true }),
  requestHeaders: list(token, [], 'Header fields of the request that a line of JSON has too; secret ones are hidden.', { commas: true }),
  responseHeaders: list(token, [], 'Header fields of the answer, likewise.', { commas: true }),
  attributes: list(text, [], 'Facts attached by agents and filters that a line of JSON has too.', { commas: true }),
  bufferSize: gathered,
  rotate,
  includeTraceId: inert(bool, 'Whether lines have the id of the request.', 'every line of JSON has it'),
}

function asList (node: KdlNode): KdlNode {
  const on = (node.children ?? []).filter(child => child.args[0]?.value !== false)
  return { ...node, args: on.map(child => ({ value: child.name, at: child.at })), props: [], children: undefined }
}

const olderAccessLog: OlderForms = {
  fields: {
    doc: 'write fields "name" "name"',
    when: node => node.children !== undefined,
    into: node => [asList(node)],
  },
  sampling: {
    doc: 'write sample-rate 0.1',
    into: node => (node.children ?? []).flatMap(child => {
      if (child.name === 'enabled') return []
      return [{ ...child, name: child.name === 'rate' ? 'sample-rate' : child.name }]
    }),
    when: node => (node.children ?? []).every(({ name, args }) => name === 'enabled' ? args[0]?.value === true : ['rate', 'sample-rate', 'always-log-errors'].includes(name)),
  },
}

export const accessLogExample = `access-log {
    file "/var/log/sentinel/access.log"
    format "combined"
}`

/** Two places hold it; `present` tells which one was used. */
export const accessLog = (doc: string) => block(accessLogFields, doc, {
  older: olderAccessLog,
  example: accessLogExample,
  build: (value, here) => {
    checkFormat(value, here)
    // Files of the language's first users name this form and no template.
    const format = value.format === 'custom' && value.template === undefined ? 'json' : value.format
    return { ...value, format, present: (Object.keys(accessLogFields) as (keyof typeof accessLogFields)[]).some(name => here.given(name)) }
  },
})

interface Form {
  readonly file: string
  readonly format: string
  readonly template: unknown
}

/** What one form has, another one would leave out unsaid. */
function checkFormat ({ file, format, template }: Form, here: Here<typeof accessLogFields>): void {
  if (!here.clean) return
  const { report } = here
  if (here.given('rotate') && ['stdout', 'stderr'].includes(file)) {
    report.error('CONFIG_CONTRADICTION', `${here.scope} is to be rotated, and is no file`, here.where('rotate'), 'write file "/var/log/sentinel/access.log"')
  }
  if (format === 'custom' && template === undefined) {
    return report.warning('CONFIG_MISSING', `${here.scope} has format "custom" and no template: its lines are JSON`, here.where('format'), 'write template "${client.ip} ${request.method} ${request.uri} ${response.status}"')
  }
  if (format !== 'custom' && here.given('template')) report.error('CONFIG_CONTRADICTION', `${here.scope} has a template, and format "${format}", which takes none`, here.where('template'), 'write format "custom"')
  if (format === 'json') return
  const ofJson = (['fields', 'requestHeaders', 'responseHeaders', 'attributes'] as const).find(name => here.given(name))
  if (ofJson !== undefined) report.error('CONFIG_CONTRADICTION', `only lines of format "json" have what '${settingNames[ofJson]}' chooses`, here.where(ofJson), 'write format "json"')
}

const settingNames = { fields: 'fields', requestHeaders: 'request-headers', responseHeaders: 'response-headers', attributes: 'attributes' } as const

const auditEvent = words([
  'blocked', 'agent-decision', 'waf-match', 'waf-block', 'rate-limit-exceeded', 'auth-event', 'config-change', 'cert-reload', 'circuit-breaker-change',
  'cache-purge', 'admin-action', 'custom',
], { also: { 'auth-event': ['auth-failure'], 'admin-action': ['admin-access'] } })

const neverHarmless = /authorization|cookie|passw/

/** What is hidden in all that is written of requests, besides what is so by its name. */
export const redact = block({
  names: list(token, [], 'Header fields, query parameters, cookies and facts whose values are secrets too. Case, `-`, `_` and `.` do not matter.', { commas: true, aliases: ['name', 'also'] }),
  except: list(token, [], 'Names whose values are none here, although they look so: `code`, `state`, `session-length`.', { commas: true }),
}, 'What is hidden in logs, `sentinel tail` and evidence besides what is always: values of what is named like a secret (token, password, key, session, cookie, authorization …).', {
  example: 'redact {\n    names "x-patient" "ssn"\n    except "state"\n}',
  build (value, here) {
    const wrong = value.except.find(name => neverHarmless.test(name.toLowerCase()))
    if (wrong !== undefined) here.report.error('CONFIG_CONTRADICTION', `'${wrong}' is a secret everywhere: it cannot be excepted`, here.where('except'))
    return value
  },
})

/** Two places hold these as well. */
export const otherLogs = {
  errorLog: optionalBlock({
    enabled: setting(bool, true, 'Whether there is one.'),
    file: setting(path, '/var/log/sentinel/error.log', 'Where to.', { aliases: ['path'] }),
    level: setting(words(['warn', 'error'], { also: { warn: ['warning'] } }), 'warn', 'Least important records to write.'),
    bufferSize: gathered,
    rotate,
  }, 'A file of its own for what went wrong.', {
    example: 'error-log {\n    file "/var/log/sentinel/error.log"\n    level "error"\n}',
  }),
  auditLog: optionalBlock({
    enabled: setting(bool, true, 'Whether there is one.'),
    file: setting(path, '/var/log/sentinel/audit.log', 'Where to.', { aliases: ['path'] }),
    format: inert(oneOf('json'), 'Form of a line.', 'lines are JSON'),
    bufferSize: gathered,
    rotate,
    logBlocked: setting(bool, true, 'Requests that were refused.'),
    logAgentDecisions: setting(bool, true, 'What agents decided.'),
    logWafEvents: setting(bool, true, 'Rules that matched.'),
    events: list(auditEvent, [], 'Kinds of events to write; all without it.', { aliases: ['event'], commas: true }),
  }, 'A file of security events. `evidence` is the one that cannot be changed unseen.', {
    example: 'audit-log {\n    file "/var/log/sentinel/audit.log"\n    log-agent-decisions #true\n}',
  }),
}

export const programLog = {
  timestamps: setting(bool, true, 'Whether records have the time. Who collects them may add it.'),
  file: optional(path, 'File for what the program itself writes, once it serves; stderr without it.'),
  rotate,
}
